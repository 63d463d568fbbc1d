/// Objects that know their place, so that adding, removing and walking them is cheap; order is arbitrary.
struct IndexedSet<Element: AnyObject> {
  private(set) var elements: [Element] = []
  private let index: ReferenceWritableKeyPath<Element, Int>

  /// `index` is where an element keeps its place; −1: in no set.
  init(index: ReferenceWritableKeyPath<Element, Int>) { self.index = index }

  var count: Int { elements.count }
  var isEmpty: Bool { elements.isEmpty }

  /// Adds `element`, which is in no set.
  mutating func insert(_ element: Element) {
    precondition(element[keyPath: index] < 0, "already in a set")
    element[keyPath: index] = elements.count
    elements.append(element)
  }

  /// Removes `element` if it is here.
  mutating func remove(_ element: Element) {
    let place = element[keyPath: index]
    guard place >= 0 else { return }
    element[keyPath: index] = -1
    let last = elements.removeLast()
    guard last !== element else { return }
    elements[place] = last
    last[keyPath: index] = place
  }
}

/// What knows its place in the one set that it is in.
protocol Indexed: AnyObject {
  /// −1: in no set. Only the set changes it.
  var index: Int { get set }
}

extension ClientConnection: Indexed {}
extension Exchange: Indexed {}
extension Probe: Indexed {}
extension UpstreamConnection: Indexed {}

/// Objects that know their place, so that adding, removing and walking them is cheap; order is arbitrary.
///
/// Every request passes through: the place is a protocol's requirement and no key path, which is looked up at run time.
struct IndexedSet<Element: Indexed> {
  private(set) var elements: [Element] = []

  var count: Int { elements.count }
  var isEmpty: Bool { elements.isEmpty }

  /// Adds `element`, which is in no set.
  mutating func insert(_ element: Element) {
    precondition(element.index < 0, "already in a set")
    element.index = elements.count
    elements.append(element)
  }

  /// Removes `element` if it is here.
  mutating func remove(_ element: Element) {
    let place = element.index
    guard place >= 0 else { return }
    element.index = -1
    let last = elements.removeLast()
    guard last !== element else { return }
    elements[place] = last
    last.index = place
  }
}

"""The page that `replay report` writes, in a real browser: both themes, paper and narrow screens, without scripts or
network. Pictures are kept in .build/test/report/.

`Fixtures/inquiry/report.html` is what the code gives, byte for byte (ReportTests); a page of a gateway that runs is looked
at as well.
"""

import re
import unittest
from pathlib import Path

import browser
from support import ROOT, Case, configuration, message, replay, scenario

try:
    import html5lib
except ImportError:
    html5lib = None

GOLDEN = ROOT / "Fixtures" / "inquiry" / "report.html"
PICTURES = ROOT / ".build" / "test" / "report"

# Texts with their colours, and what lies behind them; drawings have bands behind.
CONTRAST = r"""
(() => {
  const parse = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || (colour.length > 3 && colour[3] > 0)) return colour;
    }
    return [255, 255, 255];
  };
  const bad = []; let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest("title, desc, style")) continue;
    const box = node.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const style = getComputedStyle(node);
    const grounds = [behind(node)];
    const drawing = node.closest("svg");
    if (drawing) {
      const band = drawing.querySelector("rect.band");
      if (band) grounds.push(parse(getComputedStyle(band).fill));
    }
    for (const ground of grounds) {
      seen += 1;
      const found = ratio(parse(drawing ? style.fill : style.color), ground);
      if (found < 4.5) bad.push(`${found.toFixed(2)} <${node.tagName} class=${node.className.baseVal ?? node.className}> ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
  }
  return {seen, bad: bad.slice(0, 10)};
})()
"""

# What reaches beyond the page's sides; table heads that are only for readers of screens are cut away on purpose.
OVERFLOW = r"""
(() => {
  const width = document.documentElement.clientWidth, bad = [];
  if (document.documentElement.scrollWidth > width) bad.push(`page ${document.documentElement.scrollWidth}`);
  for (const node of document.body.querySelectorAll("*")) {
    if (node.closest("thead") && getComputedStyle(node.closest("thead")).position === "absolute") continue;
    const box = node.getBoundingClientRect();
    if (box.width && (box.right > width + 1 || box.left < -1)) bad.push(`${node.tagName} ${node.textContent.slice(0, 40)}`);
  }
  const texts = [...document.querySelectorAll("svg.chart")].map(drawing => {
    const shown = [...drawing.querySelectorAll("text.tick[text-anchor=middle]")].map(it => it.getBoundingClientRect())
      .filter(it => it.width).sort((a, b) => a.left - b.left);
    return shown.every((it, at) => !at || it.left >= shown[at - 1].right);
  });
  if (!texts.every(it => it)) bad.push("labels of an axis overlap");
  return bad.slice(0, 10);
})()
"""


class ReportPageTests(Case):
    def valid(self, text):
        """What any page must be, whoever renders it."""
        if html5lib is None:
            self.skipTest("SKIPPED: html5lib is not installed; Scripts/setup.sh test installs it")
        html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
        identities = re.findall(r'\sid="([^"]*)"', text)
        self.assertEqual(len(identities), len(set(identities)), "an id is there twice")
        for target in re.findall(r'href="#([^"]*)"', text):
            self.assertIn(target, identities)
        for label in re.findall(r'aria-labelledby="([^"]*)"', text):
            self.assertTrue(set(label.split()) <= set(identities), label)
        self.assertNotRegex(text, r"<script|\son\w+=|javascript:|@import|url\(")
        for address in re.findall(r'(?:src|href)="([^"]*)"', text):
            self.assertRegex(address, r"^#|^data:,$")
        for drawing in re.findall(r"<svg class=\"chart\".*?</svg>\s*<details>", text, re.S):
            self.assertRegex(drawing, r'role="img".*<title id=.*<desc id=')
        self.assertEqual(text.count('<svg class="chart"'), text.count("<details>"))
        self.assertEqual(text.count("<h1>"), 1)

    def chromium(self):
        if browser.PROGRAM is None or browser.connect is None:
            print("SKIPPED: no chromium or no websockets here: NOBODY LOOKED AT THE REPORT'S PAGE. "
                  "Scripts/setup.sh test installs both.", flush=True)
            self.skipTest("no chromium")
        opened = browser.Browser()
        self.addCleanup(opened.close)
        return opened

    def looked_at(self, path, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        page = self.chromium()
        page.open(path, script=False)
        for theme in ("light", "dark"):
            grounds = set()
            for width in (320, 768, 1280):
                page.look(width, theme)
                with self.subTest(f"{name} {theme} {width}"):
                    self.assertEqual(page.run(OVERFLOW), [])
                    contrast = page.run(CONTRAST)
                    self.assertGreater(contrast["seen"], 20)
                    self.assertEqual(contrast["bad"], [])
                grounds.add(page.run("getComputedStyle(document.body).backgroundColor"))
                page.picture(PICTURES / f"{name}-{theme}-{width}.png")
            self.assertEqual(len(grounds), 1)
            (self.light if theme == "light" else self.dark).update(grounds)
        self.assertTrue(self.light.isdisjoint(self.dark), "both themes look alike")
        page.look(794, "dark", media="print")
        with self.subTest(f"{name} print"):
            self.assertEqual(page.run("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
            self.assertEqual(page.run(OVERFLOW), [])
            self.assertEqual(page.run(CONTRAST)["bad"], [])
        page.picture(PICTURES / f"{name}-print.png")
        page.paper(PICTURES / f"{name}.pdf")
        asked = [event["params"]["request"]["url"] for event in page.events
                 if event.get("method") == "Network.requestWillBeSent"]
        self.assertEqual([url for url in asked if not url.startswith(("data:", "file:"))], [])
        self.assertEqual([url for url in asked if url.startswith("file:")], [Path(path).resolve().as_uri()])
        refused = [event["params"]["entry"]["text"] for event in page.events
                   if event.get("method") == "Log.entryAdded"]
        self.assertEqual(refused, [])

    def setUp(self):
        super().setUp()
        self.light, self.dark = set(), set()

    def test_the_page_is_valid_and_whole(self):
        self.valid(GOLDEN.read_text())

    def test_the_page_in_a_browser(self):
        self.looked_at(GOLDEN, "incident")

    def test_a_page_of_a_gateway_that_runs(self):
        upstream = self.simulator(scenario())
        box = self.gateway(configuration(upstream))
        for _ in range(5):
            box.chat(message())
        page = self.directory / "incident.html"
        told = replay(box.data, "report", "-o", str(page))
        self.assertIn("no incident", told)
        self.valid(page.read_text())
        self.assertIn("No rung of the ladder", page.read_text())
        replay(box.data, "report", "-o", str(self.directory / "incident.md"))
        text = (self.directory / "incident.md").read_text()
        self.assertEqual(text, replay(box.data, "report"))
        for heading in ("## What happened", "## Who noticed what", "## Timeline (UTC)", "## Why"):
            self.assertIn(heading, text)
        replay(box.data, "report", "-o", str(self.directory / "incident.pdf"), codes=(2, 64))
        self.looked_at(page, "quiet")


if __name__ == "__main__":
    unittest.main()

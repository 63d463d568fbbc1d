extension Document {
  /// The page's style: both themes, paper, and any width from 320 pixels on.
  static let style = """
    :root {
      color-scheme: light dark;
      --paper: #fbfaf6; --sheet: #ffffff; --ink: #1e1c19; --soft: #5d584f; --rule: #ddd7ca; --hair: #ebe6db;
      --link: #1d4f7c; --red: #a3201a; --amber: #8a5a00; --on-badge: #ffffff; --none: #4c5a52;
      --failed: #c0392b; --served: #9fb3bf; --callers: #d9d2c3; --band: #f6e3d9; --edit: #1d4f7c;
      --cooling: #d98e04; --half: #e9c473; --out: #4a4640; --ready: #a9c3ae; --p50: #5b8aa6; --p95: #1d4f7c; --p99: #8e3b6e;
      --fill: #f4efdf;
      --serif: "Iowan Old Style", "Palatino Linotype", Palatino, "Book Antiqua", "URW Palladio L", Georgia, serif;
      --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
      --mono: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --paper: #15171a; --sheet: #1b1e22; --ink: #e9e6df; --soft: #a9a499; --rule: #383c42; --hair: #282c31;
        --link: #93c2ee; --red: #ff8f84; --amber: #f0b851; --on-badge: #15171a; --none: #b4c4ba;
        --failed: #f0685c; --served: #5c717e; --callers: #47443e; --band: #38241f; --edit: #93c2ee;
        --cooling: #e8a52c; --half: #8a6a2a; --out: #d8d4cb; --ready: #3f5a46; --p50: #6f9cb6; --p95: #a9d0f5; --p99: #e08fc0;
        --fill: #2a2719;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 var(--sans); overflow-wrap: anywhere; }
    header, .frame, footer { max-width: 76rem; margin: 0 auto; padding: 0 1.5rem; }
    header { padding-top: 2.5rem; }
    .kicker { margin: 0; max-width: none; font-size: .8rem; letter-spacing: .09em; text-transform: uppercase; color: var(--ink); border-top: 3px solid var(--ink); padding-top: .6rem; display: flex; justify-content: space-between; flex-wrap: wrap; gap: 0 1rem; }
    .kicker span { color: var(--soft); letter-spacing: .04em; text-transform: none; }
    h1 { font: 600 clamp(1.6rem, 1.1rem + 2.4vw, 2.7rem)/1.15 var(--serif); margin: 1.4rem 0 .8rem; max-width: 26em; text-wrap: balance; letter-spacing: -.01em; }
    h1 time { display: block; font: 500 .95rem/1.4 var(--sans); letter-spacing: .02em; color: var(--soft); margin-bottom: .35rem; }
    .lead { font-size: 1.08rem; margin: 0 0 1.6rem; max-width: 60em; }
    .badge { display: inline-block; background: var(--none); color: var(--on-badge); border-radius: 3px; padding: .08em .55em; margin-right: .35em; font-size: .92em; letter-spacing: .03em; }
    .sev1 .badge { background: var(--red); } .sev2 .badge { background: var(--amber); } .sev3 .badge { background: var(--link); }
    dl { margin: 0 0 1.6rem; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); gap: 0 2rem; }
    dl div { border-top: 1px solid var(--rule); padding: .5rem 0 .55rem; }
    dt { font-size: .78rem; color: var(--soft); } dd { margin: 0; font-variant-numeric: tabular-nums; }
    .frame { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 3.5rem; }
    nav ol { list-style: none; margin: 0; padding: .7rem 0; display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; border-top: 1px solid var(--rule); font-size: .88rem; }
    nav a { text-decoration: none; }
    @media (min-width: 68rem) {
      .frame { grid-template-columns: 11.5rem minmax(0, 1fr); }
      nav { position: sticky; top: 0; align-self: start; padding-top: 1.6rem; }
      nav ol { flex-direction: column; gap: .45rem; border-top: 1px solid var(--rule); }
    }
    a { color: var(--link); text-underline-offset: .18em; text-decoration-thickness: 1px; }
    a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px; }
    section { padding-bottom: 1.2rem; }
    h2 { font: 600 1.5rem/1.25 var(--serif); margin: 1.9rem 0 .8rem; padding-top: .7rem; border-top: 1px solid var(--ink); }
    h3 { font: 600 1.02rem/1.35 var(--sans); margin: 1.6rem 0 .4rem; }
    p { max-width: 44em; margin: 0 0 .9rem; } main ul { max-width: 46em; padding-left: 1.15rem; } main li { margin-bottom: .3rem; }
    code, .place { font: .87em/1.4 var(--mono); } .place { white-space: nowrap; } time { font-variant-numeric: tabular-nums; }
    .slot { color: var(--soft); font-style: italic; border-bottom: 1px dotted var(--soft); }
    .fill { background: var(--fill); border-left: 3px solid var(--rule); padding: .55rem .8rem; } .fill .slot { border: 0; }
    table { border-collapse: collapse; width: 100%; margin: 1.3rem 0 .4rem; font-size: .92rem; font-variant-numeric: tabular-nums; }
    caption { text-align: left; font-weight: 600; padding-bottom: .35rem; }
    th { text-align: left; font-weight: 500; font-size: .8rem; color: var(--soft); vertical-align: bottom; border-bottom: 1px solid var(--soft); padding: .25rem 1rem .3rem 0; }
    td { border-bottom: 1px solid var(--hair); padding: .38rem 1rem .38rem 0; vertical-align: top; }
    th:last-child, td:last-child { padding-right: 0; }
    .number { text-align: right; white-space: nowrap; } .plain th.number { width: 8rem; } td.wide { min-width: 12rem; } th.wide { width: 40%; } .timeline th.wide { width: 68%; }
    .note { font-size: .85rem; color: var(--soft); }
    .timeline td:first-child { white-space: nowrap; }
    .timeline td:first-child::before { content: ""; display: inline-block; width: .55rem; height: .55rem; margin-right: .55rem; border: 1.5px solid var(--soft); border-radius: 50%; }
    .timeline .ladder td:first-child::before { background: var(--failed); border-color: var(--failed); border-radius: 1px; }
    .timeline .edit td:first-child::before { background: var(--edit); border-color: var(--edit); }
    .timeline .gap td:first-child::before { background: var(--amber); border-color: var(--amber); transform: rotate(45deg); border-radius: 0; }
    .timeline .ladder td { font-weight: 600; } .timeline tr:target td { background: var(--fill); }
    figure { margin: 1.2rem 0 2rem; } figcaption p { color: var(--soft); font-size: .9rem; margin: 0 0 .3rem; } figcaption h3 { margin-top: 0; }
    .legend { list-style: none; margin: .4rem 0 .5rem; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .82rem; }
    .key { display: inline-block; width: .8rem; height: .65rem; margin-right: .4rem; }
    .key.p50, .key.p95, .key.p99, .key.promise { height: 0; vertical-align: .25em; border-top: 2px solid; width: 1.2rem; }
    .key.p50 { border-color: var(--p50); } .key.p95 { border-color: var(--p95); } .key.p99 { border-color: var(--p99); border-top-style: dotted; } .key.promise { border-color: var(--soft); border-top-style: dashed; border-top-width: 1px; }
    .key.edit { width: 0; height: .8rem; vertical-align: -.1em; border-left: 1.5px dashed var(--edit); }
    .key.ready { height: 3px; vertical-align: .2em; } .key.half-open { height: 5px; vertical-align: .12em; }
    .chart { display: block; overflow: hidden; }
    .chart text { font: 12px var(--sans); fill: var(--soft); font-variant-numeric: tabular-nums; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; } .chart text.lane { font-weight: 600; fill: var(--ink); }
    .grid { stroke: var(--hair); } .axis { stroke: var(--soft); } .edit { stroke: var(--edit); stroke-dasharray: 3 3; } .promise { stroke: var(--soft); stroke-dasharray: 6 4; }
    .band { fill: var(--band); } i.band { background: var(--band); } .failed { fill: var(--failed); } i.failed { background: var(--failed); } .served { fill: var(--served); } i.served { background: var(--served); } .callers { fill: var(--callers); } i.callers { background: var(--callers); }
    .ready { fill: var(--ready); } i.ready { background: var(--ready); } .cooling { fill: var(--cooling); } i.cooling { background: var(--cooling); } .half-open { fill: var(--half); } i.half-open { background: var(--half); } .out { fill: var(--out); } i.out { background: var(--out); }
    .p50, .p95, .p99 { fill: none; stroke-linejoin: round; stroke-linecap: round; vector-effect: non-scaling-stroke; }
    .p50 { stroke: var(--p50); stroke-width: 2px; } .p95 { stroke: var(--p95); stroke-width: 2px; } .p99 { stroke: var(--p99); stroke-width: 2px; stroke-dasharray: .1 4; }
    details { font-size: .92rem; margin-top: .3rem; } summary { cursor: pointer; color: var(--link); font-size: .85rem; width: fit-content; }
    footer { padding-top: 1rem; padding-bottom: 3rem; } footer p { border-top: 1px solid var(--rule); padding-top: .8rem; color: var(--soft); font-size: .85rem; max-width: none; }
    @media (max-width: 46rem) {
      header, .frame, footer { padding-left: 1rem; padding-right: 1rem; } header { padding-top: 1.2rem; }
      .chart .alt { display: none; }
      .stack, .stack tbody, .stack tr, .stack td, .stack caption { display: block; } .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
      .stack tr { border-bottom: 1px solid var(--rule); padding: .5rem 0; } .stack td { border: 0; padding: .1rem 1rem .1rem 0; text-align: left; white-space: normal; min-width: 0; } .stack tbody td { display: inline-block; } .stack tbody td.wide { display: block; }
      .stack td::before { content: attr(data-label) " "; color: var(--soft); font-size: .82em; font-weight: 400; margin-right: .4em; }
      .timeline td { display: inline; } .timeline tbody td { display: inline; } .timeline tbody td.wide { display: block; } .timeline td:not(:first-child)::before { content: none; } .timeline td:first-child::before { margin-right: .45rem; } .timeline td:nth-child(2) { margin-left: .6em; color: var(--soft); } .timeline td:last-child { color: var(--soft); }
      td, th { padding-right: .6rem; } .plain .number { white-space: normal; } .plain th.number { width: auto; } td.wide { min-width: 0; }
    }
    @media print {
      :root { --paper: #ffffff; --sheet: #ffffff; --ink: #000000; --soft: #474540; --rule: #b5b1a8; --hair: #dcd8cf; --link: #143d61; --red: #8f1a15; --amber: #6f4800; --on-badge: #ffffff; --none: #3c4842; --failed: #b03024; --served: #9fb3bf; --callers: #d9d2c3; --band: #f3e4dc; --edit: #143d61; --cooling: #c98303; --half: #e2c07a; --out: #333333; --ready: #a9c3ae; --p50: #5b8aa6; --p95: #143d61; --p99: #8e3b6e; --fill: #f6f2e6; }
      @page { margin: 16mm 15mm; }
      html { font-size: 10pt; } body { font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; } header, .frame, footer { padding: 0; max-width: none; }
      nav, details { display: none; } .frame { display: block; } a { color: inherit; text-decoration: none; }
      h1 { font-size: 20pt; } h2 { font-size: 14pt; break-after: avoid; } h3, caption, figcaption { break-after: avoid; } tr, figure, dl div { break-inside: avoid; } thead { display: table-header-group; }
    }

    """
}

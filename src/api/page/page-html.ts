import { PAGE_MODULES } from './page-modules.ts'

const ENTRY = 'api/page/browser/main'

const preload = (path: string) => `<link rel="modulepreload" href="/app/${path}">`

/** Everything else is made by the modules. `extension`: theirs. */
export const PAGE_HTML = (extension: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>landbridge</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/uplot.css">
<link rel="stylesheet" href="/page.css">
${PAGE_MODULES.map((name) => preload(name + extension)).join('\n')}
<script defer src="/uplot.js"></script>
<script type="module" src="/app/${ENTRY}${extension}"></script>
</head>
<body>
<noscript>This page needs JavaScript. In a terminal: landbridge status --watch</noscript>
</body>
</html>
`

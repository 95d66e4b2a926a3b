// Bundles each page's module: src/<page>.js becomes ../build/frontend/js/<page>.js.
// What pages share, and what they load late, lands in chunks whose names carry their hash.
// The font of formulas goes beside them, to ../build/frontend/fonts/, with its license.

import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const source = join(import.meta.dirname, "src");
const target = join(import.meta.dirname, "..", "build", "frontend", "js");

rmSync(target, { recursive: true, force: true });
await build({
  entryPoints: [
    ...readdirSync(source, { withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".js"))
      .map((entry) => ({ in: join(source, entry.name), out: entry.name.slice(0, -3) })),
    { in: "uplot/dist/uPlot.min.css", out: "uplot" }, // a library's own style, for the pages that draw with it
  ],
  outdir: target,
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: "es2022",
  chunkNames: "chunks/[name]-[hash]",
  legalComments: "linked",
  logLevel: "warning",
});

const font = join(import.meta.dirname, "node_modules", "@fontsource", "stix-two-math");
const fonts = join(target, "..", "fonts");
cpSync(join(font, "files", "stix-two-math-latin-400-normal.woff2"), join(fonts, "stix-two-math.woff2"));
cpSync(join(font, "LICENSE"), join(fonts, "stix-two-math.LICENSE.txt"));

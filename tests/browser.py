"""Opens a page in headless Chromium, runs a script in it, and gives what came of it."""

import html
import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

_BEFORE = """<script>
const errors = [];
for (const kind of ["error", "warn"]) console[kind] = (...words) => errors.push(words.join(" "));
addEventListener("error", event => errors.push(event.message || "a resource failed"), true);
addEventListener("unhandledrejection", event => errors.push(String(event.reason)));
function press(key, target = document.activeElement) {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}
</script>"""
_AFTER = """<pre id="outcome"></pre><script>
addEventListener("load", () => {
  let found = null;
  try { found = (() => { %s })(); } catch (error) { errors.push(String(error)); }
  const asked = performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 80));
  document.getElementById("outcome").textContent =
    JSON.stringify({ found, errors, asked: asked.filter(name => !name.startsWith("data:")) });
});
</script>"""


def drive(page, script, folder, *, dark=False):
    """Run a script, whose `return` is wanted, in a page: `found`, `errors` and what it `asked` for.

    Args:
        page: the HTML.
        script: the body of a function.
        folder: where the driven copy of the page is put.
        dark: whether the reader prefers a dark page.
    """
    copy = folder / "driven.html"
    driven = page.replace("<head>", "<head>" + _BEFORE, 1)
    copy.write_text(driven.replace("</body>", _AFTER % script + "</body>", 1))
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=5000",
        "--window-size=1400,900",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
    ]
    done = subprocess.run(
        [CHROMIUM, *options, "--dump-dom", copy.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (outcome,) = re.findall(r'<pre id="outcome">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(html.unescape(outcome))

#!/usr/bin/env python3
"""The page of pgad's reports in Chromium: report_test.py BROWSER DRIVER MAKE_REPORT APPS [--sizes 10,500] [--screenshots DIR]

PGAD_AXE: the file axe.min.js of axe-core, whose rules are checked too where it is given.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

failures = []


def check(good, what):
    print(("ok    " if good else "FAILED ") + what, flush=True)
    if not good:
        failures.append(what)


def start(browser, driver, profile):
    options = Options()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1300,900",
                 "--user-data-dir=" + profile, "--disable-background-networking", "--no-first-run"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(driver), options=options)


def requests_of(page):
    """Addresses that were asked for since the last call."""
    found = []
    for entry in page.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


# Text whose contrast with what lies behind it is below WCAG's 4.5 (3 for large text), controls without a name, pictures
# without a text.
AUDIT = r"""
const bad=[],parse=c=>{const m=c.match(/[\d.]+/g).map(Number);return m.length<4?[...m.slice(0,3),1]:m};
const lum=c=>{const[r,g,b]=c.map(v=>{v/=255;return v<=.03928?v/12.92:((v+.055)/1.055)**2.4});return .2126*r+.7152*g+.0722*b};
const behind=e=>{for(;e;e=e.parentElement){const c=parse(getComputedStyle(e).backgroundColor);if(c[3]>.99)return c.slice(0,3)}return matchMedia("(prefers-color-scheme:dark)").matches?[0,0,0]:[255,255,255]};
for(const e of document.querySelectorAll("body *")){
  if(["SCRIPT","STYLE","NOSCRIPT"].includes(e.tagName)||!e.getClientRects().length)continue;
  const s=getComputedStyle(e);
  if([...e.childNodes].some(n=>n.nodeType===3&&n.data.trim())&&!e.closest("option")){
    const front=parse(e.namespaceURI.endsWith("svg")?s.fill:s.color).slice(0,3),a=lum(front),b=lum(behind(e)),ratio=(Math.max(a,b)+.05)/(Math.min(a,b)+.05);
    const large=parseFloat(s.fontSize)>=24||(parseFloat(s.fontSize)>=18.66&&+s.fontWeight>=700);
    if(ratio<(large?3:4.5))bad.push("contrast "+ratio.toFixed(2)+": "+e.tagName+" "+e.textContent.slice(0,40));
  }
  if(/^(INPUT|SELECT|BUTTON)$/.test(e.tagName)&&!(e.labels&&e.labels.length&&[...e.labels].some(l=>l.textContent.trim()))&&!e.getAttribute("aria-label")&&!(e.tagName==="BUTTON"&&e.textContent.trim()))bad.push("no name: "+e.outerHTML.slice(0,80));
  if(e.tagName==="IMG"&&!e.hasAttribute("alt"))bad.push("no alt: "+e.outerHTML.slice(0,60));
  if(e.getAttribute("role")==="img"&&!e.getAttribute("aria-label"))bad.push("no label: "+e.id);
}
const ids=[...document.querySelectorAll("[id]")].map(e=>e.id),twice=ids.filter((v,i)=>ids.indexOf(v)!==i);
if(twice.length)bad.push("ids twice: "+twice.slice(0,3));
if(!document.documentElement.lang)bad.push("no language");
return bad;
"""


def audit(page, what):
    found = page.execute_script(AUDIT)
    check(not found, f"{what}: contrast, names and texts {found[:5]}")
    axe = os.environ.get("PGAD_AXE")
    if axe and page.execute_script("return D.rows.length") <= 1000:  # it looks at each element
        with open(axe, encoding="utf-8") as f:
            page.execute_script(f.read())
        result = page.execute_async_script(
            "const done=arguments[0];axe.run(document,{resultTypes:['violations']}).then(r=>done(r.violations.map(v=>[v.id,v.impact,v.nodes.length,v.nodes[0].html.slice(0,120)])))")
        check(not result, f"{what}: axe-core {result}")


def colours(page, scheme):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})


def size(page, width, height):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                         {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})


def names_shown(page):
    """In the order in which they stand on the page."""
    return page.execute_script(
        "return [...document.querySelectorAll('#fill .row')].sort((a,b)=>a.offsetTop-b.offsetTop).map(e=>e.querySelector('.name').textContent)")


def column(page, number):
    return page.execute_script(
        "return [...document.querySelectorAll('#fill .row')].sort((a,b)=>a.offsetTop-b.offsetTop).map(e=>e.children[arguments[0]].textContent)",
        number)


def text(page, element):
    return page.find_element(By.ID, element).text


def use(page, count, url):
    """All that a user does, on a report of `count` images."""
    rows = page.execute_script("return D.rows.length")
    check(rows == count, f"{rows} rows")
    check(page.title == "Inspection of <i>nothing</i>", "title is text: " + page.title)
    check(f"{count} of {count} images" in text(page, "shown"), "all are shown")
    scores = [float(v) for v in column(page, 4) if v not in ("\u2013", "")]
    check(scores == sorted(scores, reverse=True), "the worst come first")
    check(page.execute_script("return document.querySelectorAll('#fill .row').length") < 40, "few rows exist at a time")

    # Sorting.
    head = {e.text.strip(): e for e in page.find_elements(By.CSS_SELECTOR, "#head button")}
    head["name"].click()
    names = names_shown(page)
    check(names == sorted(names) and names[0] <= names[-1], "sorted by name")
    check(page.find_element(By.CSS_SELECTOR, "[data-by=name]").get_attribute("aria-sort") == "ascending", "says so")
    head["name"].click()
    names = names_shown(page)
    check(names == sorted(names, reverse=True), "and the other way")
    head["score"].click()
    check("descending" == page.find_element(By.CSS_SELECTOR, "[data-by=score]").get_attribute("aria-sort"), "by score again")

    # Search, filters.
    search = page.find_element(By.ID, "search")
    search.send_keys("<SCRIPT>")
    WebDriverWait(page, 5).until(lambda _: "1 of" in text(page, "shown"))
    check("<script>document.title='broken'</script>" in names_shown(page)[0], "a name with a script is text")
    page.find_element(By.CSS_SELECTOR, "#fill .row").click()
    check("<img src=x onerror=alert(1)>" in text(page, "dname"), "also where it is opened")
    page.find_element(By.ID, "close").click()
    check(page.title == "Inspection of <i>nothing</i>", "the script did not run")
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys(Keys.BACKSPACE)
    WebDriverWait(page, 5).until(lambda _: f"{count} of {count}" in text(page, "shown"))
    Select(page.find_element(By.ID, "decision")).select_by_value("error")
    check("1 of" in text(page, "shown") and names_shown(page) == ["part-1/image-6.png"], "what could not be read")
    Select(page.find_element(By.ID, "decision")).select_by_value("")
    Select(page.find_element(By.ID, "kind")).select_by_value("scratch")
    expected = len([i for i in range(count) if i % 8 == 3])
    check(f"{expected} of {count} images" in text(page, "shown"), "one kind")
    Select(page.find_element(By.ID, "kind")).select_by_value("")

    # The threshold: what is said follows, from the rows.
    def said():
        cut = page.execute_script("return cut")
        want = page.execute_script(
            "const f=arguments[0];return [rows.filter(r=>r.scores&&r.scores[combined]>f).length,rows.filter(r=>r.scores&&r.label===0&&r.scores[combined]>f).length,rows.filter(r=>r.scores&&r.label===1&&!(r.scores[combined]>f)).length]",
            cut)
        line = text(page, "counts")
        return f"threshold: {want[0]} of" in line and f"normal images: {want[1]} of" in line and f"anomalous images: {want[2]} of" in line, cut, line
    good, before, line = said()
    check(good and abs(before - 1.5) < 1e-9, "as calibrated: " + line)
    histogram = page.find_element(By.ID, "histogram")
    ActionChains(page).move_to_element(histogram).click_and_hold().move_by_offset(60, 0).release().perform()
    good, dragged, line = said()
    check(good and dragged != before, "dragged: " + line)
    slider = page.find_element(By.ID, "cut")
    slider.send_keys(Keys.ARROW_LEFT)
    good, moved, line = said()
    check(good and moved < dragged, "by key: " + line)
    Select(page.find_element(By.ID, "judged")).select_by_value("missed")
    missed = page.execute_script("return rows.filter(r=>r.label===1&&r.scores&&!(r.scores[combined]>cut)).length")
    check(text(page, "shown").startswith(f"{missed} of"), "missed ones")
    Select(page.find_element(By.ID, "judged")).select_by_value("")
    page.find_element(By.ID, "reset").click()
    check(said()[1] == before, "as calibrated again")
    auroc = page.execute_script(
        "const n=rows.filter(r=>r.label===0&&r.scores).map(r=>r.scores[combined]),a=rows.filter(r=>r.label===1&&r.scores).map(r=>r.scores[combined]);let s=0;for(const x of a)for(const y of n)s+=x>y?1:x===y?.5:0;return s/(n.length*a.length)")
    check(f"{auroc:.4f}" in text(page, "roctext"), f"AUROC {auroc:.4f}")
    Select(page.find_element(By.ID, "score")).select_by_visible_text("critic")
    check("critic" in page.find_element(By.ID, "kindtable").text, "another score")
    Select(page.find_element(By.ID, "score")).select_by_visible_text("combined")

    # Keys.
    grid = page.find_element(By.ID, "list")
    page.execute_script("arguments[0].focus()", grid)
    for key in (Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP):
        grid.send_keys(key)
    check(page.execute_script("return selected") == 1, "arrows choose")
    grid.send_keys(Keys.END)
    check(page.execute_script("return selected") == count - 1, "End goes to the last")
    seen = page.execute_script(
        "const l=document.querySelector('#list').getBoundingClientRect(),r=document.querySelector('[aria-selected=true]').getBoundingClientRect();return r.top>=l.top-1&&r.bottom<=l.bottom+1")
    check(seen, "which is in sight")
    grid.send_keys(Keys.HOME)
    grid.send_keys(Keys.ARROW_DOWN)
    grid.send_keys(Keys.ENTER)
    check(page.execute_script("return document.querySelector('#detail').open"), "Enter opens")
    first = text(page, "dname")
    ActionChains(page).send_keys(Keys.ARROW_RIGHT).perform()
    check(text(page, "dname") != first, "right: the next")
    ActionChains(page).send_keys(Keys.ARROW_LEFT).perform()
    check(text(page, "dname") == first, "left: back")
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    check(not page.execute_script("return document.querySelector('#detail').open"), "Escape closes")
    check(page.execute_script("return document.activeElement.id") == "list", "and the list has the focus")

    # Pictures, opacity, regions.
    page.execute_script("open(shown.findIndex(r=>r.regions&&r.regions.length&&r.pic))")
    WebDriverWait(page, 5).until(lambda _: page.execute_script(
        "return [...document.querySelectorAll('#views img')].length===4&&[...document.querySelectorAll('#views img')].every(i=>i.complete&&i.naturalWidth===16)"))
    check(True, "image, map twice and reconstruction are shown")
    opacity = page.find_element(By.ID, "opacity")
    opacity.send_keys(Keys.HOME)
    check(page.execute_script("return getComputedStyle(document.querySelector('#mapimage')).opacity") == "0", "map hidden")
    opacity.send_keys(Keys.END)
    check(page.execute_script("return getComputedStyle(document.querySelector('#mapimage')).opacity") == "1", "map whole")
    check(page.execute_script("return document.querySelectorAll('#regionlines path').length") == 4, "regions are drawn")
    page.find_element(By.ID, "outlines").click()
    check(page.execute_script("return getComputedStyle(document.querySelector('#regionlines')).display") == "none", "or not")
    page.find_element(By.ID, "outlines").click()
    check("8" in page.find_element(By.ID, "dregions").text, "and listed")
    for scheme in ("light", "dark"):
        colours(page, scheme)
        audit(page, "an image, " + scheme)
    colours(page, "light")
    page.find_element(By.ID, "close").click()

    errors = [e for e in page.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    check(not errors, f"no errors on the console {errors[:3]}")
    base = os.path.dirname(url) + "/"
    strangers = [r for r in requests_of(page) if not r.startswith(("data:", base))]
    check(not strangers, f"no request leaves the page {strangers[:3]}")
    linked = page.execute_script("return D.pictures") == "link"
    check(linked or page.execute_script("return performance.getEntriesByType('resource').filter(e=>!e.name.startsWith('data:')).length") == 0,
          "nothing else is loaded")


def speed(page, url, count, most):
    times = []
    for _ in range(3):
        page.get("about:blank")
        begin = time.time()
        page.execute_cdp_cmd("Page.navigate", {"url": url})
        WebDriverWait(page, 60, poll_frequency=0.02).until(lambda _: page.execute_script(
            "return document.documentElement.dataset.ready!==undefined&&document.querySelectorAll('#fill .row').length>0"))
        # It answers: a key in the list, and the next frame.
        page.execute_async_script(
            "const done=arguments[0];document.querySelector('#list').dispatchEvent(new KeyboardEvent('keydown',{key:'ArrowDown'}));requestAnimationFrame(()=>requestAnimationFrame(()=>done()))")
        times.append(time.time() - begin)
    heap = page.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
    times.sort()
    print(f"       {count} images: interactive after {times[1]:.2f} s (median of 3: {[round(t, 2) for t in times]}), "
          f"JavaScript's heap {heap / 1e6:.1f} MB")
    check(page.execute_script("return selected") == 1, "it answers to a key")
    if most:
        check(times[1] <= most, f"within {most} s")


def programs(page, apps, tmp, screenshots):
    """The pages that the programs make of real images: of a training, an inspection, a folder watched."""
    data = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../data/mnist-subset")
    run = f"{tmp}/run"
    subprocess.run([f"{apps}/pgad_train", "--data", data, "--normal-class", "8", "--resolution", "16", "--fmap-max", "4",
                    "--latent-size", "4", "--batch", "8", "--total-kimg", "1.6", "--fade-kimg", "0.2", "--stable-kimg", "0.2",
                    "--sample-kimg", "0.4", "--calibration-images", "40", "--steps", "2", "--threads", "1", "--report",
                    "--out", run, "--quiet"], check=True)
    model = f"{run}/model.safetensors"
    subprocess.run([f"{apps}/pgad_infer", "evaluate", "--model", model, "--data", data, "--limit", "20", "--threads", "1",
                    "--out", f"{tmp}/evaluated", "--report", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    os.mkdir(f"{tmp}/camera")
    with open(f"{tmp}/camera/<script>alert(1).png", "w", encoding="utf-8") as f:
        f.write("no image")
    with open(f"{tmp}/camera/grey.pgm", "wb") as f:
        f.write(b"P5 28 28 255 " + bytes(28 * 28))
    watcher = subprocess.Popen([f"{apps}/pgad_infer", "watch", "--model", model, "--input", f"{tmp}/camera", "--threads", "1",
                                "--out", f"{tmp}/watched", "--quiet"])
    try:
        for _ in range(300):
            rows = f"{tmp}/watched/scores.jsonl"
            if os.path.exists(rows) and open(rows, encoding="utf-8").read().count("\n") == 2:
                break
            time.sleep(0.1)
    finally:
        watcher.terminate()
        check(watcher.wait(30) == 0, "watch ends with 0")
    pages = {"training": f"{run}/report.html", "evaluation": f"{tmp}/evaluated/report.html", "watch": f"{tmp}/watched/index.html"}
    for name, path in pages.items():
        page.get_log("browser")
        requests_of(page)
        size(page, 1300, 900)
        page.get("file://" + path)
        for scheme in ("light", "dark"):
            colours(page, scheme)
            found = page.execute_script(AUDIT)
            check(not found, f"{name}, {scheme}: contrast, names and texts {found[:5]}")
        for width in (1300, 400):
            size(page, width, 900)
            over = page.execute_script("return document.documentElement.scrollWidth-innerWidth")
            check(over <= 0, f"{name}, {width} pixels: nothing sticks out ({over})")
            if screenshots:
                page.save_screenshot(f"{screenshots}/{name}-{width}.png")
        errors = [e for e in page.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
        check(not errors, f"{name}: no errors on the console {errors[:3]}")
        strangers = [r for r in requests_of(page) if not r.startswith(("data:", f"file://{os.path.dirname(path)}/"))]
        check(not strangers, f"{name}: no request leaves the page {strangers[:3]}")
        if name == "training":
            check(page.execute_script("return document.querySelectorAll('#charts svg').length") >= 5, "curves")
            check(page.execute_script("return document.querySelectorAll('#calibration rect').length") > 3, "calibration")
            check(text(page, "state") == "finished", "finished")
            before = text(page, "when")
            page.find_element(By.ID, "at").send_keys(Keys.ARROW_LEFT)
            check(text(page, "when") != before and page.execute_script("return document.querySelector('#sheet').naturalWidth") > 0,
                  "an earlier sheet: " + text(page, "when"))
        if name == "watch":
            check("<script>alert(1).png" in page.find_element(By.TAG_NAME, "ol").text, "a name with a script is text")
    colours(page, "light")


def main():
    p = argparse.ArgumentParser()
    for name in ("browser", "driver", "make_report", "apps"):
        p.add_argument(name)
    p.add_argument("--sizes", default="10,500")
    p.add_argument("--screenshots")
    p.add_argument("--within", type=float, default=0, help="seconds to interactive that a size may take")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        page = start(o.browser, o.driver, tmp + "/profile")
        try:
            for count in map(int, o.sizes.split(",")):
                for mode in ("embed", "link"):
                    folder = f"{tmp}/{count}-{mode}"
                    subprocess.run([o.make_report, folder, str(count), mode], check=True)
                    url = f"file://{folder}/report.html"
                    print(f"--- {count} images, {mode}: {os.path.getsize(folder + '/report.html') / 1e6:.1f} MB")
                    size(page, 1300, 900)
                    colours(page, "light")
                    speed(page, url, count, o.within)
                    page.get_log("browser")
                    requests_of(page)  # the browser's own start page
                    page.get(url)
                    use(page, count, url)
                    for scheme in ("light", "dark"):
                        colours(page, scheme)
                        audit(page, "page, " + scheme)
                    for width in (1300, 400):
                        size(page, width, 900)
                        over = page.execute_script("return document.documentElement.scrollWidth-innerWidth")
                        check(over <= 0, f"{width} pixels: nothing sticks out ({over})")
                        if o.screenshots and mode == "embed":
                            for scheme in ("light", "dark"):
                                colours(page, scheme)
                                page.save_screenshot(f"{o.screenshots}/report-{count}-{width}-{scheme}.png")
                    colours(page, "light")
                    size(page, 1300, 900)
                    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
                    page.execute_script("dispatchEvent(new Event('beforeprint'))")
                    printed = page.execute_script(
                        "return [getComputedStyle(document.querySelector('#grid')).display,document.querySelectorAll('#printed tr').length]")
                    check(printed == ["none", min(40, count)], f"print: {printed}")
                    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
            programs(page, o.apps, tmp, o.screenshots)
        finally:
            page.quit()
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

"""What the viewer holds: one scene at a time, sheets and backgrounds once, and how it changes from view to view."""

import pytest
from browser.conftest import Opener
from browser.standing import SIZE, stand_cortex

pytestmark = pytest.mark.browser


def test_the_view_that_is_shown_is_not_loaded_again(opened: Opener) -> None:
    ask = """async () => {
      const { viewer } = page;
      const did = [];
      viewer.load = () => did.push("load");
      viewer.goTo = (mm) => did.push(mm);
      await viewer.show(viewer.view.key);
      await viewer.show(viewer.view.key, [1, 2, 3]);
      return did;
    }"""
    assert opened("motor").ready().page.evaluate(ask) == [[1, 2, 3]]


def test_the_crosshair_stays_on_the_same_map_unless_it_is_led(opened: Opener) -> None:
    ask = """async () => {
      const { viewer } = page;
      const { views } = viewer;
      const opened = [];
      viewer.open = (mm) => opened.push(mm);
      const [first, second, faint] = [views[0], views[1], views.find((view) => view.section === "faint")];
      const { cursor } = viewer;
      await viewer.show(second.key);
      await viewer.show(faint.key);
      await viewer.show(first.key, [1, 2, 3]);
      return [opened, cursor];
    }"""
    found, cursor = opened("motor").ready().page.evaluate(ask)
    assert found == [cursor, None, [1, 2, 3]]


def test_a_background_is_unpacked_once_while_it_stays(opened: Opener) -> None:
    ask = """async () => {
      const { viewer } = page;
      const { key } = viewer.background;
      const same = (await viewer.loadBackground(key)) === viewer.background;
      const none = await viewer.loadBackground(undefined);
      viewer.background = { ...viewer.background, key: "another" };
      const again = await viewer.loadBackground(key);
      return [same, none, again.key === key, again.box.length];
    }"""
    assert opened("motor").ready().page.evaluate(ask) == [True, None, True, 2]


def test_sheets_follow_one_another_and_are_kept(opened: Opener) -> None:
    ask = """async () => {
      const viewer = Object.create(Viewer.prototype);
      const both = await viewer.loadSheets(["L", "R"]);
      const again = await viewer.loadSheets(["L", "R"]);
      const one = await viewer.loadSheets(["R"]);
      const none = await viewer.loadSheets([]);
      return [both.map(({ side, first }) => [side, first]), both === again, one.map(({ first }) => first), none];
    }"""
    shown = opened("none")
    stand_cortex(shown)
    assert shown.page.evaluate(ask) == [[["L", 0], ["R", SIZE]], True, [0], []]


def test_other_entries_are_loaded_when_they_are_asked_for(opened: Opener) -> None:
    shown = opened("motor").ready()
    assert shown.page.evaluate("() => page.viewer.scene.others.length") == 0
    shown.page.locator("#viewer [data-part=others]").check()
    shown.page.wait_for_function("() => page.viewer.scene.others.length === 1")
    same = """async () => {
      const { viewer } = page;
      const other = viewer.views.find((view) => view.section === viewer.view.section && view !== viewer.view);
      const { data } = await payload.array(other.labels);
      return data.every((label, at) => label === viewer.scene.others[0].data[at]) && data.some((label) => label);
    }"""
    assert shown.page.evaluate(same)


def test_the_look_is_what_the_switches_and_the_page_say(opened: Opener) -> None:
    shown = opened("motor", color_scheme="light").ready()
    switches = ["fade", "contours", "others", "numbers"]
    ask = """([names, on]) => {
      for (const name of names) page.viewer.part(name).checked = on;
      page.viewer.part("opacity").value = on ? 40 : 100;
      const look = page.viewer.lookOf();
      return [names.map((name) => look[name]), look.opacity, look.threshold === page.viewer.instruments.value,
              look.cutoff === page.viewer.view.cutoff, look.paper.length, look.bright > look.dark];
    }"""
    for on in (True, False):
        found = shown.page.evaluate(ask, [switches, on])
        assert found == [[on] * 4, 0.4 if on else 1, True, True, 3, True]

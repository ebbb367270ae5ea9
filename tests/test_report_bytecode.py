"""Templates are compiled once, and what is kept never speaks for another template."""

import sys
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment, nodes, pass_environment

from bids_regions.report import pages
from bids_regions.report.bytecode import TEMPLATES, CompiledTemplates


@pytest.fixture
def writing(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


def render(folder, text, compiled=None):
    """`a` rendered by a new environment; what had to be compiled is counted."""

    class Counting(Environment):
        def _generate(self, source, name, *args, **kwargs):
            if compiled is not None:
                compiled.append(name)
            return super()._generate(source, name, *args, **kwargs)

    environment = Counting(loader=DictLoader({"a": text}), autoescape=True, bytecode_cache=CompiledTemplates(folder))
    return environment.get_template("a").render(x=1)


def test_the_second_process_compiles_nothing(tmp_path, writing):
    compiled = []
    assert [render(tmp_path, "{{ x }}", compiled) for _ in range(2)] == ["1", "1"]
    assert compiled == ["a"]
    assert [path.name.split(".")[-1] for path in (tmp_path / "__pycache__").iterdir()] == ["bytecode"]


def test_a_changed_template_is_compiled_again(tmp_path, writing):
    render(tmp_path, "{{ x }}")
    assert render(tmp_path, "{{ x }}!") == "1!"


CHANGES = {  # an option: another value, and what "{% if x %}\n<{{ x }}\n{% endif %}\n" gives then
    "trim_blocks": (True, "&lt;\n"),
    "keep_trailing_newline": (True, "\n&lt;\n\n"),
    "autoescape": (False, "\n<\n"),
    "variable_start_string": ("{[", "\n{{ x }}\n"),
    "finalize": (len, "\n1\n"),
}


@pytest.mark.parametrize("option", CHANGES)
def test_a_changed_option_is_compiled_again(tmp_path, writing, option):
    def show(**options):
        environment = Environment(loader=DictLoader({"a": "{% if x %}\n{{ x }}\n{% endif %}\n"}), autoescape=True)
        environment.bytecode_cache = CompiledTemplates(tmp_path)
        return environment.overlay(**options).get_template("a").render(x="<")

    changed, expected = CHANGES[option]
    assert show() == "\n&lt;\n"
    assert show(**{option: changed}) == expected
    assert show() == "\n&lt;\n"


def test_a_filter_that_asks_for_the_environment_is_compiled_again(tmp_path, writing):
    def show(double):
        environment = Environment(loader=DictLoader({"a": "{{ x | double }}"}), autoescape=True)
        environment.bytecode_cache = CompiledTemplates(tmp_path)
        environment.filters["double"] = double
        return environment.get_template("a").render(x=2)

    assert show(lambda value: 2 * value) == "4"
    assert show(pass_environment(lambda environment, value: 2 * value + environment.autoescape)) == "5"


def test_no_template_of_the_package_filters_a_constant():
    """jinja2 would write the result into the byte-code, which no changed filter then changes."""
    environment = pages._environment()
    for path in TEMPLATES.glob("*.j2"):
        for each in environment.parse(path.read_text(encoding="utf-8")).find_all(nodes.Filter):
            with pytest.raises(nodes.Impossible):
                each.as_const()


@pytest.mark.parametrize("rubbish", [b"", b"j2", b"\x00" * 100])
def test_broken_byte_code_is_none(tmp_path, writing, rubbish):
    render(tmp_path, "{{ x }}")
    for path in (tmp_path / "__pycache__").iterdir():
        path.write_bytes(rubbish)
    assert render(tmp_path, "{{ x }}") == "1"


def test_byte_code_that_breaks_off_is_none(tmp_path, writing):
    render(tmp_path, "{{ x }}")
    (kept,) = (tmp_path / "__pycache__").iterdir()
    whole = kept.read_bytes()
    for size in range(0, len(whole), 40):
        kept.write_bytes(whole[:size])
        assert render(tmp_path, "{{ x }}") == "1"


def test_nothing_is_written_where_python_writes_none(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert render(tmp_path, "{{ x }}") == "1"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_no_fault(tmp_path, writing):
    (tmp_path / "__pycache__").write_bytes(b"a file")
    assert render(tmp_path, "{{ x }}") == "1"


def test_every_template_of_the_package_compiles(tmp_path, writing, monkeypatch):
    cache = CompiledTemplates(tmp_path)
    monkeypatch.setattr(pages._environment(), "bytecode_cache", cache)
    pages._environment().cache.clear()
    pages.compile_templates()
    assert len(list((tmp_path / "__pycache__").iterdir())) == len(list(TEMPLATES.glob("*.j2"))) > 3
    pages._environment().cache.clear()
    assert Path(pages._environment().get_template("base.html.j2").filename).parent == TEMPLATES

"""The places of a module or script where it can be broken, and what stands there then: for mutate.py.

What cannot change a result (the words of an error, a docstring, an annotation) is no such place.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SWAPS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"), ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.Add: ("+", "-"), ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "/"), ast.Mod: ("%", "*"),
    ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "sorted": "list"}
SCRIPTS = (("===", "!=="), ("!==", "==="), (" < ", " <= "), (" > ", " >= "), (" <= ", " < "), (" >= ", " > "),
           (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), (" * ", " / "), (" ? ", " && false ? "),
           ("Math.min", "Math.max"), ("Math.max", "Math.min"), ("Math.floor", "Math.ceil"), ("return ", "return void "),
           ("continue;", ";"))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One place of one file, with what stands there then."""

    path: str  # from the root
    line: int  # from 1
    start: int  # bytes
    end: int
    new: str

    @property
    def room(self) -> str:
        """The room that is broken."""
        return "scripts" if self.path.endswith(".js") else Path(self.path).with_suffix("").parts[1]

    def text(self, source: bytes) -> bytes:
        """The file's content, broken."""
        return source[: self.start] + self.new.encode() + source[self.end :]

    def describe(self, source: bytes) -> str:
        """The line before and after."""
        lines = [text.decode().splitlines()[self.line - 1].strip() for text in (source, self.text(source))]
        return f"{self.path}:{self.line} `{lines[0]}` -> `{lines[1]}`"


class _Places(ast.NodeVisitor):
    """Every place of a module where a mutant can be made."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source, self.found = path, source, list[Mutant]()
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def at(self, node: ast.AST, *, end: bool = False) -> int:
        line, column = (node.end_lineno, node.end_col_offset) if end else (node.lineno, node.col_offset)  # type: ignore[attr-defined]
        return self.starts[line - 1] + int(column)

    def add(self, node: ast.AST, new: str, span: tuple[int, int] | None = None) -> None:
        start, end = span or (self.at(node), self.at(node, end=True))
        line = self.source.count(b"\n", 0, start) + 1
        self.found.append(Mutant(path=self.path, line=line, start=start, end=end, new=new))

    def swap(self, left: ast.AST, operator: ast.AST, right: ast.AST) -> None:
        """Change the operator between two operands; comments and brackets between them are left alone."""
        if type(operator) not in SWAPS:
            return
        old, new = SWAPS[type(operator)]
        start, end = self.at(left, end=True), self.at(right)
        match = re.fullmatch(
            rb"([\s)\\]*?)(?<![\w=<>!])" + re.escape(old.encode()) + rb"([\s(\\]*)", self.source[start:end]
        )
        if match:
            self.add(left, new, (start + match.end(1), start + match.end(1) + len(old)))

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands[:-1], node.ops, operands[1:], strict=True):
            self.swap(left, operator, right)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if not any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right)):
            self.swap(node.left, node.op, node.right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in zip(node.values[:-1], node.values[1:], strict=True):
            self.swap(left, node.op, right)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.add(node, str(not node.value))
        elif isinstance(node.value, int | float) and node.value == node.value:
            self.add(node, f"({node.value!r} + 1)")

    def visit_If(self, node: ast.If) -> None:
        test = self.source[self.at(node.test) : self.at(node.test, end=True)].decode()
        self.add(node.test, f"(not ({test}))")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        test = self.source[self.at(node.test) : self.at(node.test, end=True)].decode()
        self.add(node.test, f"(not ({test}))")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node.value, ast.Call):
            self.add(node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.add(node, "pass")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in NAMES and isinstance(node.ctx, ast.Load):
            self.add(node, NAMES[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in NAMES:
            end = self.at(node, end=True)
            self.add(node, NAMES[node.attr], (end - len(node.attr), end))
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Its words are not drawn."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Its words are not drawn."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """It guards nothing that a user can cause."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """It changes no result."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for child in (*node.args.defaults, *(d for d in node.args.kw_defaults if d), *node.body):
            self.visit(child)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for child in node.body:
            self.visit(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def find_mutants(path: Path) -> list[Mutant]:
    """Every mutant of a module or script."""
    name, source = path.relative_to(ROOT).as_posix(), path.read_bytes()
    if path.suffix == ".js":
        return list(_script_mutants(name, source))
    places = _Places(name, source)
    with warnings.catch_warnings(action="ignore"):
        places.visit(ast.parse(source))
    return [mutant for mutant in places.found if mutant.text(source) != source]


def _script_mutants(name: str, source: bytes) -> Iterator[Mutant]:
    start = 0
    for number, line in enumerate(source.splitlines(keepends=True), start=1):
        code = re.split(rb"(?:^|\s)//", line)[0]
        if not code.lstrip().startswith((b"*", b"/*", b"//", b"throw")):
            for old, new in SCRIPTS:
                for match in re.finditer(re.escape(old.encode()), code):
                    yield Mutant(path=name, line=number, start=start + match.start(), end=start + match.end(), new=new)
        start += len(line)

"""What README and docs/ name is there: pages, pictures, files, commands, make targets, settings, addresses, tests."""

import re
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
CODE = ("portal", "consents", "downstream", "requests_app", "clients", "tests", "docs", ".ci")
SETTING = re.compile(r"\bHEED_[A-Z_]*[A-Z]\b")
OF_READERS_OWN = {"HEED_SECRET_LAKE", "HEED_SECRET_POSTS_DB", "HEED_WEBHOOK_SECRET"}
"""Variables whose names a reader chooses, and one of a receiver's program."""
ADDRESS = re.compile(
    r"(?:[` \"]|\$BASE|\$HEED|\.com)"
    r"(/(?:api/v1|drp/v1|opendsr|verify|admin|choices|requests|object|notices|log|healthz|readyz|o|signal|\.well-known)\b"
    r"(?:/[\w.$<>{}…-]*)*)"
)
BEGINNINGS = {"/api/v1/", "/drp/v1/", "/opendsr/v2/"}


def wrong(find: Callable[[str], Iterable[str]]) -> dict[str, list[str]]:
    """What is found in the text of each page."""
    found = {str(page.relative_to(ROOT)): sorted(set(find(page.read_text()))) for page in PAGES}
    return {page: what for page, what in found.items() if what}


def everything_said() -> str:
    return "".join(page.read_text() for page in PAGES)


def linked(page: Path) -> list[Path]:
    """What a page leads to in this repository."""
    found = re.findall(r'\]\(([^)\s#]+)|src="([^"]+)"', page.read_text())
    targets = [one or other for one, other in found]
    return [(page.parent / target).resolve() for target in targets if not re.match(r"https?:", target)]


def quoted(text: str) -> list[str]:
    """What is set as code in a line of text."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def program(*suffixes: str) -> str:
    paths = [path for folder in CODE for path in (ROOT / folder).rglob("*") if path.suffix in suffixes]
    return "".join(path.read_text() for path in paths if path.is_file() and path != Path(__file__))


def test_each_link_leads_somewhere() -> None:
    assert {target for page in PAGES for target in linked(page) if not target.exists()} == set()


def test_the_cookbook_lists_each_page_and_each_program_is_on_one() -> None:
    assert {*DOCS.glob("*.md"), DOCS / "decisions"} - {DOCS / "README.md", *linked(DOCS / "README.md")} == set()
    assert {path.name for path in DOCS.glob("*.py") if path.name not in everything_said()} == set()


def test_the_pictures_are_those_that_pages_show_and_browser_tests_take() -> None:
    there = {path.stem for path in (DOCS / "images").iterdir()}
    shown = re.findall(r'<img src="(?:docs/)?images/([\w-]+)\.png" width="\d+" alt="[^"]+">', everything_said())
    browser = "".join(path.read_text() for path in (ROOT / "tests" / "browser").glob("test_*.py"))
    assert (set(shown), set(re.findall(r'picture\(\w+, "([\w-]+)"', browser))) == (there, there)


def test_each_command_knows_its_options() -> None:
    commands = get_commands()

    def unknown(text: str) -> Iterable[str]:
        for call in re.findall(r"manage\.py ([a-z][^\n`]*)", text.replace("\\\n", " ")):
            name, *words = re.sub(r"[`'),;#].*|[.:]$", "", call).split()
            if name not in commands:
                yield name
                continue
            parser = load_command_class(commands[name], name).create_parser("manage.py", name)
            known = {option for action in parser._actions for option in action.option_strings}
            yield from (f"{name} {word}" for word in words if word.startswith("--") and word not in known)

    assert wrong(unknown) == {}


def test_each_command_of_ours_is_on_a_page() -> None:
    said = set(re.findall(r"\w+", everything_said()))
    assert {name for name, app in get_commands().items() if app in CODE} - said == set()


def test_each_target_of_make_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    calls = re.compile(r"(?:^|`)(?:[A-Z]+=\w+ )*make ([a-z]+)", re.MULTILINE)
    assert wrong(lambda text: set(calls.findall(text)) - targets) == {}


def test_each_setting_is_read_and_each_that_is_read_is_on_the_page_for_production() -> None:
    processes = (ROOT / "Procfile").read_text()
    read = set(SETTING.findall(program(".py", "") + processes + (ROOT / "Makefile").read_text()))
    assert wrong(lambda text: set(SETTING.findall(text)) - read - OF_READERS_OWN) == {}
    page = (DOCS / "go-to-production.md").read_text()
    told = {*SETTING.findall(page), *(f"HEED_CONTROLLER_{end}" for end in re.findall(r"`…_([A-Z]+)`", page))}
    settings = "".join(path.read_text() for path in (ROOT / "portal").glob("*.py"))
    assert set(SETTING.findall("".join(re.findall(r'(?:env\.\w+|required)\(\s*"\w+"', settings)))) - told == {
        "HEED_DEMO"
    }
    assert set(SETTING.findall(processes)) - told == set()


def test_each_file_and_each_test_is_there() -> None:
    inside = re.compile(rf"(?:{'|'.join(CODE)})/[\w./-]+")
    tests = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}

    def missing(text: str) -> Iterable[str]:
        for one in quoted(text):
            if inside.fullmatch(one) and not (ROOT / one).exists() and not (ROOT / f"{one}.py").exists():
                yield one
            yield from set(re.findall(r"(?:^|/)(test_\w+?)(?:\.py)?$", one)) - tests

    assert wrong(missing) == {}


def test_each_address_is_served() -> None:
    assert (
        wrong(lambda text: (one for one in ADDRESS.findall(text) if one not in BEGINNINGS and not _served(one))) == {}
    )


def _served(address: str) -> bool:
    """Whether it leads to a page, whatever stands for a name or a number in it."""
    begun = address.replace("<L>", "0").replace("<N>", "000").rstrip(".")
    tried = [re.sub(r"\$\w+|\{\w+\}|…", name, begun) for name in ("1", str(uuid.UUID(int=0)))]
    return any(_leads(one) or _leads(f"{one}/") for one in tried)


def _leads(address: str) -> bool:
    try:
        resolve(address)
    except Resolver404:
        return False
    return True


def test_each_system_check_is_one() -> None:
    known = set(re.findall(r'id="(heed\.[EW]\d{3})"', program(".py")))
    assert wrong(lambda text: set(re.findall(r"heed\.[EW]\d{3}", text)) - known) == {}

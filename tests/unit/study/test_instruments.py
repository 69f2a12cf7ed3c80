"""The instruments: fixed wording and order, everything filled in, everything escaped, printable."""

import re
from html.parser import HTMLParser

import pytest

from devdns_study import html
from devdns_study.errors import StudyRefused
from devdns_study.instrument import APPROACHES, FORMS, PARAMETERS, TASKS, Item, approach, card, instrument
from devdns_study.plan import Plan
from devdns_study.sheets import words_of, write_sheets

PLAN = Plan(1, ("devdns", "ports"), TASKS, 2, tuple(sorted((key, f"the {key}") for key in PARAMETERS)))
WORDS = words_of(PLAN, "P01", "devdns", "clash")

#: Brooke 1996, page 192.
BROOKE = (
    "I think that I would like to use this system frequently",
    "I found the system unnecessarily complex",
    "I thought the system was easy to use",
    "I think that I would need the support of a technical person to be able to use this system",
    "I found the various functions in this system were well integrated",
    "I thought there was too much inconsistency in this system",
    "I would imagine that most people would learn to use this system very quickly",
    "I found the system very cumbersome to use",
    "I felt very confident using the system",
    "I needed to learn a lot of things before I could get going with this system",
)


def test_the_sus_has_brookes_words_in_brookes_order():
    form = instrument("sus", WORDS)
    assert tuple(item.text for item in form.items) == BROOKE
    assert [item.id for item in form.items] == [f"sus{number}" for number in range(1, 11)]
    assert {(item.low, item.high, item.left, item.right) for item in form.items} == {
        (1, 5, "Strongly disagree", "Strongly agree")
    }


def test_the_short_scales_are_as_published():
    umux, tlx, seq = (instrument(name, WORDS) for name in ("umux-lite", "nasa-tlx", "seq"))
    assert [item.text for item in umux.items] == [
        "This system's capabilities meet my requirements.",
        "This system is easy to use.",
    ]
    assert {(item.low, item.high) for item in (*umux.items, *seq.items)} == {(1, 7)}
    assert [len(item.values) for item in tlx.items] == [21] * 6
    assert [(item.left, item.right) for item in tlx.items if "Performance" in item.text] == [("Perfect", "Failure")]
    assert seq.items[0].text == "Overall, how difficult or easy was the task to complete?"
    assert seq.items[0].id == "clash"


@pytest.mark.parametrize("name", [*FORMS, "script"])
def test_no_word_stays_open(name):
    form = instrument(name, WORDS)
    assert "${" not in html.body(form)
    assert len({item.id for item in form.items}) == len(form.items)


def test_the_sheet_says_who_asks_what_is_kept_and_how_to_withdraw():
    text = html.body(instrument("information", WORDS))
    assert all(dict(PLAN.parameters)[key] in text for key in PARAMETERS)
    assert "P01" in text


def test_a_word_that_the_study_does_not_say_is_named():
    words = {key: value for key, value in WORDS.items() if key != "ethics"}
    with pytest.raises(StudyRefused, match="information needs the word 'ethics'"):
        instrument("information", words)


def test_every_task_says_start_goal_check_and_limit():
    cards = [card(name) for name in TASKS]
    assert all(each.title and each.start and each.goal and each.success for each in cards)
    assert all(60 <= each.limit <= 900 for each in cards)
    assert [each.name for each in cards if each.needs] == ["restarted"]
    assert [each.name for each in cards if each.question] == ["no-answer"]


def test_the_approaches_are_told_alike():
    """No way gets a longer or a warmer introduction: within a third of the mean length, and no praise."""
    texts = {name: " ".join(approach(name).paragraphs) for name in APPROACHES}
    mean = sum(map(len, texts.values())) / len(texts)
    assert all(abs(len(text) - mean) < mean / 3 for text in texts.values()), {n: len(t) for n, t in texts.items()}
    assert not re.search(r"\b(easy|easily|simply|just|fast|better|automatic\w*)\b", " ".join(texts.values()))


@pytest.mark.parametrize(("read", "name"), [(card, "nap"), (approach, "magic")])
def test_what_there_is_not_is_refused_with_what_there_is(read, name):
    with pytest.raises(StudyRefused, match=f"no .* '{name}' - there are "):
        read(name)


class Page(HTMLParser):
    """Every tag in order, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


def test_every_field_has_its_label_and_every_group_its_legend():
    page = Page("".join(html.body(instrument(name, WORDS)) for name in FORMS))
    fields = {attrs["id"] for tag, attrs in page.tags if tag in ("input", "textarea")}
    labels = {attrs["for"] for tag, attrs in page.tags if tag == "label"}
    assert fields == labels
    count = [tag for tag, _ in page.tags].count
    assert count("fieldset") == count("legend") > 20


def test_what_is_foreign_is_escaped():
    item = Item("x", "<b>&", "text")
    found = html.question(item, '</textarea><script>alert("1")</script>', "<i>")
    assert [tag for tag, _ in Page(found).tags] == ["div", "label", "p", "textarea"]
    assert "<script>" not in found.replace("&lt;script&gt;", "")


def test_the_sheets_are_whole_pages_for_paper(tmp_path):
    paths = write_sheets(PLAN, tmp_path)
    assert {path.stem for path in paths} == {
        *FORMS,
        "script",
        *(f"task-{name}" for name in TASKS),
        "approach-devdns",
        "approach-ports",
    }
    for path in paths:
        tags = Page(path.read_text()).tags
        assert ("html", {"lang": "en"}) in tags
        assert [tag for tag, _ in tags].count("h1") == 1
        assert "@media print" in path.read_text()
        assert not {"script", "link", "img"} & {tag for tag, _ in tags}

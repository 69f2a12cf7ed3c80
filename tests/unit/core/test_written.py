"""Text as written: bytes, YAML events and plain values, without guessed types."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from devdns.core.errors import ConfigRefused
from devdns.core.written import Items, Pairs, Problems, Scalar, below, clipped, decode, read_yaml, stranger, written


def plain(node):
    """Nodes as Python values of text."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [plain(each) for each in node.values]
    return {plain(key): plain(value) for key, value in node.values}


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"),
    max_size=12,
)
trees = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)  # fmt: skip


@given(st.dictionaries(texts, trees, min_size=1, max_size=3), st.booleans())
def test_what_yaml_writes_is_read_back_as_text(tree, flow):
    assert plain(read_yaml(yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True), "x")) == tree


@given(st.dictionaries(texts, trees, max_size=3))
def test_plain_values_and_yaml_read_alike(tree):
    assert plain(written(tree)) == tree


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (5173, "5173"),
        (1.5, "1.5"),
        (1e-6, "0.000001"),
        (1e300, f"{1e300:f}"),
        ("off", "off"),
    ],
)
def test_plain_scalars(value, text):
    assert written(value) == Scalar(text, plain=not isinstance(value, str))


def test_none_is_null_and_an_empty_text_is_not():
    assert written(None).is_null
    assert not written("").is_null
    assert not written("null").is_null


def test_what_nobody_writes_is_a_type_error():
    with pytest.raises(TypeError, match="bytes is not written by hand"):
        written({"a": [b"x"]})


@pytest.mark.parametrize("text", ["off", "22:22", "1_000", "0x10", "null", "2026-01-01", "1e3", ".inf", "=", "<<"])
def test_scalars_stay_text(text):
    assert plain(read_yaml(f"{text}: {text}", "x")) == {text: text}


def test_lines_are_those_of_the_file():
    tree = read_yaml("a: 1\n\nb:\n  - x\n  # comment\n  - y\n", "x")
    assert isinstance(tree, Pairs)
    assert [(key.line, value.line) for key, value in tree.values] == [(1, 1), (3, 4)]
    assert [each.line for each in tree.values[1][1].values] == [4, 6]


@pytest.mark.parametrize(
    ("data", "text"), [(b"", ""), (b"\xef\xbb\xbfzone: a", "zone: a"), ("ü".encode(), "ü"), (b"a\r\nb", "a\r\nb")]
)
def test_bytes_are_utf_8(data, text):
    assert decode(data, "x") == text


def test_other_bytes_are_refused_with_their_line():
    with pytest.raises(ConfigRefused, match=r"^x:2: not UTF-8: byte 0xff - save it as UTF-8$"):
        decode(b"a\nb\xff", "x")


def test_windows_line_ends_are_line_ends():
    assert plain(read_yaml("a: 1\r\nb: 2\r\n", "x")) == {"a": "1", "b": "2"}


def test_problems_come_in_the_order_of_their_lines():
    problems = Problems("x")
    problems.add(7, "b", "second")
    problems.add(2, "a", "first")
    problems.add(7, "a", "third")
    with pytest.raises(ConfigRefused) as caught:
        problems.refuse()
    assert caught.value.problems == ("x:2: a: first", "x:7: b: second", "x:7: a: third")


def test_no_problem_is_no_refusal():
    problems = Problems("x")
    problems.refuse()
    assert not problems


@pytest.mark.parametrize(
    ("path", "key", "at"),
    [
        ("", "a", "a"),
        ("a", "b/c", "a.b/c"),
        ("a", "x y", "a.'x y'"),
        ("", "\x1b[m", r"'\x1b[m'"),
        ("", "", "''"),
        ("", "ü", "'ü'"),
    ],
)
def test_key_paths(path, key, at):
    assert below(path, key) == at


def test_long_values_are_clipped():
    assert clipped("x" * 100) == "x" * 57 + "..."


def test_an_unknown_key_that_is_near_none_lists_all():
    assert stranger("zzz", ["hosts", "enabled"]) == "unknown key - known are hosts, enabled"

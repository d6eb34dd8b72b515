"""Commands as the journal keeps them (sync rules §8)."""

from __future__ import annotations

from statemachine import journal
from statemachine.case import Shown, Variant
from statemachine.commands import DeleteRow, ItemChange, PostRow, PutRecord, PutRow, RowContent
from statemachine.model import Item, Kind, Side

BEFORE = RowContent("0511/1234560", "Text", False, 1)
AFTER = RowContent("0511 1234561", "[m] Text", True, 1)
PUT = PutRow(Variant.VAR5, Kind.PHONE, "L1", 7, BEFORE, AFTER)


def test_a_put_a_post_and_a_delete() -> None:
    put = journal.of_row(PUT, "c", 5.0, "DE")
    assert (put.operation, put.side, put.advoware_id, put.link_key) == ("put", Side.ADVOWARE, 7, "L1")
    assert (put.before, put.after) == (
        Shown("0511/1234560", "Text", online=False),
        Shown("0511 1234561", "[m] Text", online=True),
    )
    assert put.gives == "advoware:phone:+495111234561"
    assert (put.outcome, put.settled, put.id) == (None, False, 0)
    post = journal.of_row(PostRow(Variant.VAR1, Kind.PHONE, None, AFTER), "c", 5.0, "DE")
    assert (post.operation, post.advoware_id, post.before, post.gives) == ("post", None, None, put.gives)
    emptied = PutRow(Variant.VAR2, Kind.PHONE, "L1", 7, BEFORE, RowContent("", "[ESPOCRM-SLOT:1]", False, 1))
    delete = journal.of_row(DeleteRow(emptied), "c", 5.0, "DE")
    assert (delete.operation, delete.gives) == ("delete", "advoware:phone:-+495111234560")


def test_the_kind_that_we_send_is_only_a_wish() -> None:
    """§3: only an answer makes it certain."""
    write = journal.of_row(PUT, "c", 5.0, "DE")
    assert write.after is not None
    assert write.after.komm_kz == 0


def test_one_line_per_changed_entry() -> None:
    old, new = Item(Kind.EMAIL, "A@x.de", primary=True), Item(Kind.EMAIL, "b@x.de", opt_out=True)
    changes = (
        ItemChange(Variant.VAR6, Kind.EMAIL, "L1", old, new, row_id=7),
        ItemChange(Variant.VAR3, Kind.EMAIL, "L2", old, None),
        ItemChange(Variant.VAR4, Kind.EMAIL, None, None, new, row_id=8),
    )
    edit, gone, added = journal.of_record(PutRecord((), None, changes), "c", 5.0, "DE")
    assert {w.call for w in (edit, gone, added)} == {"c"}
    assert edit.before == Shown("A@x.de", primary=True, opt_out=False, invalid=False)
    assert edit.gives == added.gives == "espocrm:email:b@x.de"
    assert (gone.gives, gone.after) == ("espocrm:email:-a@x.de", None)
    assert (added.before, added.advoware_id) == (None, 8)


def test_sync_fields_alone_have_a_line_of_their_own() -> None:
    (write,) = journal.of_record(PutRecord(None, None, (), (("syncStatus", "failed"),)), "c", 5.0, "DE")
    assert (write.variant, write.after, write.gives) == (Variant.STATUS, Shown("failed"), "")
    (bare,) = journal.of_record(PutRecord(None, None, ()), "c", 5.0, "DE")
    assert bare.after == Shown("")

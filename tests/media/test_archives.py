"""Which archives are opened, which of their entries can be read, and what reading them may cost."""

import io
import random
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from retinue.base.errors import RetinueError
from retinue.media.archives import ArchiveLimits, ArchiveTooLarge, EntryTooLarge, is_archive, open_archive
from tests.corpus.archives import Case, benign_archives, hostile_archives, zipped
from tests.pictures import drawn

MIB = 1 << 20
MOST = 20 * MIB


def read_all(data: bytes) -> tuple[list[str], dict[str, type[RetinueError]]]:
    """Which entries were read, and why the others were not."""
    accepted, rejected = [], {}
    with open_archive(data) as archive:
        for entry in archive.entries:
            try:
                archive.read(entry, max_bytes=MOST)
                accepted.append(entry.name)
            except RetinueError as refusal:
                rejected[entry.name] = type(refusal)
    return accepted, rejected


class TestHostile:
    @pytest.mark.parametrize("case", hostile_archives(), ids=str)
    def test_it_is_refused_for_the_right_reason_and_costs_nothing(self, case: Case) -> None:
        data = case.data
        tracemalloc.start()
        try:
            if case.refused:
                with pytest.raises(RetinueError) as refusal:
                    read_all(data)
                assert type(refusal.value) is case.refused
                assert refusal.value.detail
            else:
                accepted, rejected = read_all(data)
                assert (rejected, tuple(accepted)) == (dict(case.rejected), case.accepted)
            assert tracemalloc.get_traced_memory()[1] < 32 * MIB
        finally:
            tracemalloc.stop()

    def test_there_are_many_of_them(self) -> None:
        assert len(hostile_archives()) >= 60

    def test_flipped_and_cut_archives_never_break_the_reader(self) -> None:
        dice = random.Random(7)
        seeds = [case.data for case in benign_archives() if len(case.data) < 10_000]
        for _ in range(2000):
            data = bytearray(dice.choice(seeds))
            for _ in range(dice.choice((1, 2, 8))):
                at = dice.randrange(len(data))
                if dice.random() < 0.3:
                    del data[at : at + dice.choice((1, 4, 30))]
                else:
                    data[at] = dice.randrange(256)
            with suppress(RetinueError):
                read_all(bytes(data))


class TestBenign:
    @pytest.mark.parametrize("case", benign_archives(), ids=str)
    def test_every_entry_is_read(self, case: Case) -> None:
        accepted, rejected = read_all(case.data)
        assert (tuple(accepted), rejected) == (case.accepted, {})

    def test_there_are_enough_of_them(self) -> None:
        assert len(benign_archives()) >= 20

    def test_the_bytes_are_those_that_went_in(self, tmp_path: Path) -> None:
        files = [(f"{seed}.jpg", drawn(seed)) for seed in range(5)]
        (tmp_path / "a.zip").write_bytes(zipped(*files))
        with open_archive(tmp_path / "a.zip") as archive:
            assert [(one.name, archive.read(one, max_bytes=MOST)) for one in archive.entries] == files

    def test_many_threads_may_read_at_once(self) -> None:
        files = [(f"{seed}.jpg", drawn(seed)) for seed in range(64)]
        with open_archive(io.BytesIO(zipped(*files))) as archive, ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda entry: archive.read(entry, max_bytes=MOST), archive.entries))
        assert found == [data for _, data in files]

    def test_a_head_tells_the_kind_without_reading_the_rest(self) -> None:
        with open_archive(zipped(("a.jpg", drawn(1)), ("b.txt", b""))) as archive:
            assert [archive.head(entry, 3) for entry in archive.entries] == [b"\xff\xd8\xff", b""]


class TestLimits:
    def test_the_archive_itself(self) -> None:
        with pytest.raises(ArchiveTooLarge), open_archive(zipped(("a.jpg", drawn(1))), ArchiveLimits(max_bytes=100)):
            pass

    def test_the_number_of_entries(self) -> None:
        files = [(f"{seed}.jpg", drawn(1)) for seed in range(11)]
        with open_archive(zipped(*files[:10]), ArchiveLimits(max_entries=10)) as archive:
            assert len(archive.entries) == 10
        with pytest.raises(ArchiveTooLarge), open_archive(zipped(*files), ArchiveLimits(max_entries=10)):
            pass

    def test_what_it_holds_in_all(self) -> None:
        data = zipped(("a.bin", random.Random(1).randbytes(1000)), ("b.bin", random.Random(2).randbytes(1000)))
        with open_archive(data, ArchiveLimits(max_expanded_bytes=2000)):
            pass
        with pytest.raises(ArchiveTooLarge), open_archive(data, ArchiveLimits(max_expanded_bytes=1999)):
            pass

    def test_one_entry(self) -> None:
        with open_archive(zipped(("a.bin", bytes(range(100))))) as archive:
            assert len(archive.read(archive.entries[0], max_bytes=100)) == 100
            with pytest.raises(EntryTooLarge):
                archive.read(archive.entries[0], max_bytes=99)

    def test_exactly_a_hundred_to_one_is_fine(self) -> None:
        data = zipped(("a.bin", random.Random(1).randbytes(1000) + bytes(90_000)))
        with zipfile.ZipFile(io.BytesIO(data)) as plain:
            assert 50 < plain.infolist()[0].file_size / plain.infolist()[0].compress_size <= 100
        assert read_all(data) == (["a.bin"], {})

    def test_more_than_a_hundred_to_one_is_refused_however_small(self) -> None:
        assert read_all(zipped(("a.bin", bytes(90_000)))) == ([], {"a.bin": EntryTooLarge})


def test_an_archive_is_known_by_its_first_bytes() -> None:
    assert is_archive(zipped(("a.jpg", drawn(1)))[:64])
    assert not is_archive(drawn(1)[:64])

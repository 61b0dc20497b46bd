import pytest

from pipeline.demo.folder import FolderError, demo_folder


def test_the_folder_of_the_last_demo_is_emptied(tmp_path):
    with demo_folder(tmp_path) as folder:
        (folder / "kafka").mkdir()
        (folder / "kafka" / "segment").write_text("data", encoding="utf-8")

    with demo_folder(tmp_path) as again:
        assert again == folder == tmp_path / "demo"
        assert not (again / "kafka").exists()


def test_a_home_that_a_demo_made_is_used_itself(tmp_path):
    with demo_folder(tmp_path) as folder:
        pass

    with demo_folder(folder) as again:
        assert again == folder


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path):
    mine = tmp_path / "demo"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work", encoding="utf-8")

    with pytest.raises(FolderError, match="no demo created"), demo_folder(tmp_path):
        pass

    assert (mine / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_two_demos_do_not_share_a_folder(tmp_path):
    with (
        demo_folder(tmp_path),
        pytest.raises(FolderError, match="a demo is running"),
        demo_folder(tmp_path),
    ):
        pass

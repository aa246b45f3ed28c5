"""ZeroGPU, in its own way but without a GPU: what is marked runs in a forked process, arguments and results pickled."""

import importlib.util
import inspect
import multiprocessing
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import wraps
from types import ModuleType
from typing import Any

import pytest
import torch

from app.core.model_sets import Faces
from app.core.session import Plan
from app.models import edit_run
from app.models.services import Models

MODULE = "app_edit_run_on_zero_gpu"
CALLS: list[str] = []


def gpu(task: Callable) -> Callable:
    """`spaces.GPU` as its package 0.51 does it for generators."""
    assert inspect.isgeneratorfunction(task)

    @wraps(task)
    def handler(*args: Any) -> Iterator[Any]:
        CALLS.append(task.__name__)
        context = multiprocessing.get_context("fork")
        given, results = pickle.dumps(args), context.SimpleQueue()

        def work() -> None:
            torch.set_num_threads(1)  # OpenMP's other threads are not in this process
            try:
                for result in task(*pickle.loads(given)):
                    results.put(pickle.dumps(result))
            except BaseException:
                results.put(pickle.dumps(RuntimeError(traceback.format_exc())))
            results.put(None)

        process = context.Process(target=work, daemon=True)
        process.start()
        while (result := results.get()) is not None:
            result = pickle.loads(result)
            if isinstance(result, Exception):
                raise result
            yield result
        process.join()

    return handler


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`app.models.edit_run` as it is imported where there is a package `spaces`."""
    spaces = ModuleType("spaces")
    spaces.GPU = gpu  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    spec = importlib.util.spec_from_file_location(MODULE, str(edit_run.__file__))
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, MODULE, found)
    spec.loader.exec_module(found)
    return found


WORLD = Faces()
PLAN = Plan(WORLD.attributes, {"smile": 1.0}, max_steps=4)  # the face of seed 3 does not


def test_an_edit_runs_where_the_gpu_is(module: ModuleType) -> None:
    del CALLS[:]
    models, plain = Models(), Models()
    latent = models.sample(WORLD, 3, 0.8)
    expected = [step.images for step in edit_run.steps(plain, PLAN, latent)]
    with models.computing:  # another visitor's, at the moment of the fork
        steps = list(module.steps_on_gpu(models, PLAN, latent))
    assert CALLS == ["steps_on"] and len(steps) == len(expected) > 1
    for step, images in zip(steps, expected, strict=True):
        assert torch.allclose(step.images, images, atol=1e-5)
    assert [len(step.c) for step in module.steps(models, PLAN, latent)] == [1] * len(steps)
    assert CALLS == ["steps_on"] * 2


def test_without_the_package_nothing_changes() -> None:
    assert edit_run.steps_on_gpu is edit_run.steps_on


def test_an_edit_of_a_gpu_moves_everything(module: ModuleType) -> None:
    """With "cpu" by another name, a copy of the editor is made, once, and the steps come back."""
    models = Models()
    latent = models.sample(WORLD, 3, 0.8)
    steps = list(module.steps_on(models, PLAN, latent, device="cpu:0"))
    again = module.editor_on(models, PLAN.editor, "cpu:0")
    assert again is module.editor_on(models, PLAN.editor, "cpu:0") and again is not models.editor(PLAN.editor)
    plain = list(module.steps_on(models, PLAN, latent, device="cpu"))
    assert len(steps) == len(plain)
    for one, other in zip(steps, plain, strict=True):
        assert torch.equal(one.latent.data, other.latent.data) and one.reasons == other.reasons

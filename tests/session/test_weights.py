from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdataops.session.weights import Draws, poisson_weights

KNOWN_NUMBERS = [0, 0, 1, 1, 2, 3, 0, 1]
KNOWN_TEXT = [3, 2, 0, 3]


def test_the_weights_of_known_entities_never_change() -> None:
    assert poisson_weights(0, 1, np.arange(8)).tolist() == KNOWN_NUMBERS
    assert poisson_weights(42, 3, ["anna", "Bjørn", "", "customer-4"]).tolist() == KNOWN_TEXT


def test_another_process_draws_the_same_weights() -> None:
    code = "from nbdataops.session.weights import poisson_weights as p; print(p(5, 2, ['a', 'b', 'c']).tolist(), p(5, 2, [1, 2, 3]).tolist())"

    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()

    assert (
        said
        == f"{poisson_weights(5, 2, ['a', 'b', 'c']).tolist()} {poisson_weights(5, 2, [1, 2, 3]).tolist()}"
    )


def splitmix64(z: int) -> int:
    z = (z + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


@given(st.integers(), st.integers(0, 10**6), st.integers(-(2**63), 2**63 - 1))
def test_a_weight_is_what_the_definition_gives_in_exact_arithmetic(
    seed: int, replicate: int, entity: int
) -> None:
    stream = splitmix64(splitmix64(seed) + replicate * 0x9E3779B97F4A7C15)
    bits = splitmix64((splitmix64(splitmix64(entity % 2**64) ^ stream) + stream) % 2**64)
    uniform, below, k = Fraction(bits >> 11, 2**53), Fraction(0), 0
    while (below := below + Fraction(math.exp(-1)) / math.factorial(k)) <= uniform and k < 21:
        k += 1

    assert poisson_weights(seed, replicate, [entity]).tolist() == [k]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, unique=True), st.randoms())
def test_neither_order_nor_company_of_entities_has_an_effect(entities: list[int], random: object) -> None:
    shuffled = entities.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    alone = {e: int(poisson_weights(3, 1, [e])[0]) for e in entities}

    assert poisson_weights(3, 1, shuffled).tolist() == [alone[e] for e in shuffled]


@pytest.mark.parametrize(
    "entities",
    [
        np.array([1, 2, 300], dtype=np.int32),
        np.array([1, 2, 300], dtype=np.uint16),
        np.array([1, 2, 300], dtype=object),
        pd.Series([1, 2, 300]),
        pa.array([1, 2, 300]),
        pa.chunked_array([[1], [2, 300]]),
    ],
)
def test_the_same_number_is_the_same_entity_in_every_container(entities: object) -> None:
    assert poisson_weights(1, 1, entities).tolist() == poisson_weights(1, 1, [1, 2, 300]).tolist()


@pytest.mark.parametrize(
    "texts", [pd.Series(["a", "b"]), pa.array(["a", "b"], pa.large_string()), np.array(["a", "b"])]
)
def test_the_same_text_is_the_same_entity_in_every_container(texts: object) -> None:
    assert poisson_weights(1, 1, texts).tolist() == poisson_weights(1, 1, ["a", "b"]).tolist()


@pytest.mark.parametrize(
    "entities", [np.arange(200_000), np.arange(200_000) * 2**40, np.arange(200_000).astype(str)]
)
def test_weights_are_poisson_of_mean_one(entities: np.ndarray) -> None:
    weights = poisson_weights(11, 4, entities)

    # 5 standard errors: mean 1/sqrt(n), variance of a Poisson(1) sample variance is 3/n
    assert abs(weights.mean() - 1) < 5 / np.sqrt(len(weights))
    assert abs(weights.var() - 1) < 5 * np.sqrt(3 / len(weights))
    expected = np.exp(-1) / np.array([1, 1, 2, 6, 24])
    assert np.abs(np.bincount(weights)[:5] / len(weights) - expected).max() < 0.005


def test_replicates_and_seeds_are_independent_of_each_other() -> None:
    draws = Draws(np.arange(100_000))
    rows = [draws.weights(seed, replicate) for seed in (0, 1, -1) for replicate in (0, 1, 2, 3)]

    correlations = np.corrcoef(rows)[np.triu_indices(len(rows), 1)]

    assert np.abs(correlations).max() < 5 / np.sqrt(100_000)


def test_neighbouring_entities_are_independent_of_each_other() -> None:
    weights = poisson_weights(0, 1, np.arange(100_000))

    assert abs(np.corrcoef(weights[1:], weights[:-1])[0, 1]) < 5 / np.sqrt(100_000)


def test_no_entities_have_no_weights() -> None:
    assert poisson_weights(0, 1, []).tolist() == []

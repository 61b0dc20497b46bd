"""Customers simulated from the models with a seed, so that the parameters which fitting must find are known."""

from math import exp, log
from random import Random

from pipeline.score.bgnbd import BgNbd
from pipeline.score.gamma_gamma import GammaGamma

TRUTH = BgNbd(r=0.8, alpha=60.0, a=0.9, b=2.5)
SPEND = GammaGamma(p=6.0, q=4.0, v=1_500.0)


def orders_of(chance: Random, first_day: int, last_day: int, currency: str = "EUR") -> list[tuple[int, int, str]]:
    """One customer's orders, from a first on a random day until they leave or the time is over."""
    rate = chance.gammavariate(TRUTH.r, 1 / TRUTH.alpha)
    anchors = chance.betavariate(TRUTH.a, TRUTH.b)
    scale = chance.gammavariate(SPEND.q, 1 / SPEND.v)
    at = chance.uniform(first_day, first_day + 90)
    result = []
    while at < last_day + 1:
        result.append((int(at), max(1, round(chance.gammavariate(SPEND.p, 1 / scale))), currency))
        if len(result) > 1 and chance.random() < anchors:
            break
        at += chance.expovariate(rate) if rate > exp(-log(2) * 60) else 1e9
    return result


def shop(seed: int, customers: int, first_day: int = 20_000, days: int = 540) -> dict[str, list[tuple[int, int, str]]]:
    """Customers by anchor."""
    chance = Random(seed)
    return {f"user_id:{number:05d}": orders_of(chance, first_day, first_day + days) for number in range(customers)}

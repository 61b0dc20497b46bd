"""The protocol of ADR 3 for the links of one tenant on many partitions, as a model: when it is right, and what breaks.

A node is an identifier; nodes are totally ordered by (class, hash). Each lives on one partition, which alone writes its
parent, a smaller node. A link goes to the partition of its larger end. Partitions share nothing but messages, which
arrive in any order between two pairs of them, and more than once. A node forwards data of a customer to its parent.
"""

import os
import random
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias
from zlib import crc32

import networkx as nx
import pytest

PARTITIONS = 4
CLASSES = ("user", "mail", "dev", "anon")


class Node(NamedTuple):
    """Compared as a tuple: class, strongest first, then hash; the name makes it total."""

    rank: int
    hash: int
    name: str


class Link(NamedTuple):
    """The two are one customer; ``touches`` are the larger end's."""

    larger: Node
    smaller: Node
    touches: frozenset[str] = frozenset()


class Shipment(NamedTuple):
    """Touches of a node's children, for the node or whoever it is under by now."""

    to: Node
    touches: frozenset[str]


Message: TypeAlias = Link | Shipment


def node(name: str) -> Node:
    return Node(CLASSES.index(name.partition(":")[0]), crc32(name.encode()), name)


def link(a: Node, b: Node, *touches: str) -> Link:
    return Link(max(a, b), min(a, b), frozenset(touches))


def home(item: Node) -> int:
    """The partition that writes the node."""
    return item.hash % PARTITIONS


class Partition:
    """The state of one writer, which covers its own nodes only."""

    def __init__(self, *, ship_again: bool = True) -> None:
        self.parents: dict[Node, Node] = {}
        self.held: dict[Node, frozenset[str]] = {}
        self._ship_again = ship_again

    def take(self, message: Message) -> Iterator[Message]:
        """The node's parent only ever falls; what follows goes to the partitions of the nodes it names."""
        if isinstance(message, Shipment):
            self._hold(message.to, message.touches)
            yield from self._ship(message.to)
            return
        larger, smaller, touches = message
        self._hold(larger, touches)
        parent = self.parents.get(larger)
        if parent is None:
            self.parents[larger] = smaller
        elif parent != smaller:
            self.parents[larger] = min(parent, smaller)
            yield link(parent, smaller)
        elif not self._ship_again:
            return
        yield from self._ship(larger)

    def _hold(self, item: Node, touches: frozenset[str]) -> None:
        if touches:
            self.held[item] = self.held.get(item, frozenset()) | touches

    def _ship(self, item: Node) -> Iterator[Message]:
        parent = self.parents.get(item)
        if parent is not None and item in self.held:
            yield Shipment(parent, self.held.pop(item))


class World:
    """Partitions and the messages between them."""

    def __init__(self, seed: int, *, repeats: float = 0.2, loses: float = 0.0, ship_again: bool = True) -> None:
        self.partitions = [Partition(ship_again=ship_again) for _ in range(PARTITIONS)]
        self._chance = random.Random(seed)
        self._repeats, self._loses = repeats, loses
        self._waiting: list[Message] = []

    def tell(self, links: list[Link]) -> "World":
        """Delivers these messages and all that follow from them, in an order that the seed determines."""
        self._waiting += links
        while self._waiting:
            message = self._waiting.pop(self._chance.randrange(len(self._waiting)))
            if self._chance.random() < self._loses:
                continue
            if self._chance.random() < self._repeats:
                self._waiting.append(message)
            to = message.larger if isinstance(message, Link) else message.to
            self._waiting += self.partitions[home(to)].take(message)
        return self

    def root(self, item: Node) -> Node:
        """Returns the end of the node's chain of parents. Each parent is smaller, so the chain ends."""
        while (parent := self.partitions[home(item)].parents.get(item)) is not None:
            assert parent < item
            item = parent
        return item

    def held(self) -> dict[Node, frozenset[str]]:
        return {item: touches for one in self.partitions for item, touches in one.held.items()}


def links_of(chance: random.Random) -> list[Link]:
    """Returns links of few or many customers, some sent twice, each with touches of its larger end."""
    nodes = [node(f"{kind}:{at}") for kind in CLASSES for at in range(chance.choice((2, 5, 20)))]
    return [link(*chance.sample(nodes, 2), f"t{at}") for at in range(chance.choice((3, 12, 40)))]


def is_right(world: World, links: list[Link]) -> bool:
    """Every component that networkx finds is a tree under its least member, which has all its touches."""
    result: dict[Node, frozenset[str]] = {}
    for component in nx.connected_components(nx.Graph((item.larger, item.smaller) for item in links)):
        if {world.root(item) for item in component} != {min(component)}:
            return False
        result[min(component)] = frozenset().union(*(item.touches for item in links if item.larger in component))
    return world.held() == result


def seeds() -> Iterator[int]:
    one = os.environ.get("STITCHLINE_SEED")
    yield from (int(one),) if one else range(int(os.environ.get("STITCHLINE_SEEDS", "2000")))


def test_in_every_order_and_with_repetitions_the_components_of_networkx_come_out():
    for seed in seeds():
        links = links_of(random.Random(seed))
        assert is_right(World(seed).tell(links), links), (
            f"STITCHLINE_SEED={seed} pytest tests/simulation/test_partitioned_links.py"
        )


def test_links_in_parts_with_pauses_give_the_same_components():
    for seed in range(300):
        links, world = links_of(random.Random(seed)), World(seed)
        for item in links:
            world.tell([item])
        assert is_right(world, links), seed


@pytest.mark.parametrize("broken", [{"loses": 0.05}, {"ship_again": False}], ids=["a message is lost", "not again"])
def test_it_breaks_without_every_message_and_without_shipping_again(broken):
    wrong = [
        seed for seed in range(300) if not is_right(World(seed, **broken).tell(it := links_of(random.Random(seed))), it)
    ]
    assert len(wrong) > 30


def test_a_touch_stays_behind_where_a_known_link_is_not_shipped_again():
    user, phone = node("user:1"), node("dev:1")
    twice = [link(user, phone, "before"), link(user, phone, "after")]
    for again, current in ((True, {user: {"before", "after"}}), (False, {user: {"before"}, phone: {"after"}})):
        world = World(0, repeats=0, ship_again=again)
        for item in twice:
            world.tell([item])
        assert world.held() == current


def test_two_writers_of_one_identifier_lose_links_known_to_one_of_them():
    user, mail, phone = node("user:1"), node("mail:1"), node("dev:1")
    world, one, two = World(0), Partition(), Partition()
    output = [*one.take(link(user, phone)), *two.take(link(mail, phone))]
    assert output == []
    assert world.tell(output).root(mail) == mail != user


def test_an_order_that_changes_in_between_leads_in_circles():
    user, mail = node("user:1"), node("mail:1")
    before, after = Partition(), Partition()
    list(before.take(Link(larger=mail, smaller=user)))
    list(after.take(Link(larger=user, smaller=mail)))
    assert before.parents[mail] == user
    assert after.parents[user] == mail


def test_no_partition_sees_a_limit_that_all_of_them_break():
    """Two addresses a customer: each address has a writer of its own, which sees one, and the customer's sees none."""
    ann, addresses = node("user:ann"), [node(f"mail:{at}") for at in range(3)]
    world = World(0).tell([link(ann, address) for address in addresses])
    assert [world.partitions[home(address)].parents[address] for address in addresses] == [ann] * 3
    assert all(ann not in one.parents for one in world.partitions)
    assert {world.root(address) for address in addresses} == {ann}


def test_the_effects_of_a_deleted_link_remain_on_other_partitions():
    ann, mail, phone = node("user:ann"), node("mail:1"), node("dev:1")
    world = World(0).tell([link(mail, phone), link(ann, phone)])
    assert world.root(mail) == ann, "the writer of phone sent ann to that of mail"
    del world.partitions[home(phone)].parents[phone]
    assert world.root(mail) == ann, "only the writer of mail could undo it, and it does not know the cause"

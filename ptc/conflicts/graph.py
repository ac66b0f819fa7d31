"""Which calls must wait for which earlier ones: those that conflict (Bernstein, 1966).

Resources are keys in one tree (see :mod:`ptc.conflicts.resources`): two meet where one key is a
prefix of the other. Each node of the tree knows who wrote there last and who has read there since,
so a call finds the earlier calls that it conflicts with on the path to its key, and below it. It
needs no others: whoever came before these is waited for by them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from .resources import Key

_FEW = 32  # calls, among which it pays to look for those that others wait for anyway


class _Node:
    """What has been done at a key, and below it, as far as nobody wrote over all of it since.

    Entries are numbers that grow; each stands for one key of one call. ``reads`` and ``writes`` are
    of the key and all below it, ``readers`` and ``writer`` of exactly this key. ``seen`` is the
    last reader at this key, or above it, that the last writer below had to wait for: it has waited
    for all writers before it, so nobody else need.
    """

    __slots__ = (
        "children",
        "readers",
        "readers_set",
        "reads",
        "seen",
        "writer",
        "writes",
        "writes_set",
    )

    def __init__(self) -> None:
        self.children: dict[object, _Node] = {}
        self.reads: dict[int, None] = {}
        self.writes: dict[int, None] = {}
        self.readers: dict[int, None] = {}
        self.writer = -1
        self.seen = -1
        # The same as sets of calls, shared by all who wait for just these; None: to be made.
        self.readers_set: frozenset[int] | None = None
        self.writes_set: frozenset[int] | None = None


class Graph:
    """The calls of one batch, added in request order.

    >>> x = (("x",),)
    >>> graph = Graph()
    >>> [sorted(graph.add(n, frozenset(), frozenset([x]))) for n in range(3)]
    [[], [0], [1]]
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._calls: list[int] = []  # of each entry
        self._before: dict[int, frozenset[int]] = {}

    def add(self, index: int, reads: frozenset[Key], writes: frozenset[Key]) -> frozenset[int]:
        """The earlier calls that this one must wait for: the nearest, so that a chain gives one."""
        sources: list[frozenset[int]] = []
        for key in writes:
            sources += self._before_write(self._path(key), len(key))
        for key in reads - writes:
            sources += self._before_read(self._path(key), len(key))
        for key in reads - writes:
            self._read(key, self._entry(index))
        for key in writes:
            self._write(key, self._entry(index))
        before = self._before[index] = self._nearest([each for each in sources if each])
        return before

    def _entry(self, index: int) -> int:
        self._calls.append(index)
        return len(self._calls) - 1

    def _path(self, key: Key) -> list[_Node]:
        """The nodes from the root to the key, as far as there are any."""
        path = [self._root]
        for part in key:
            node = path[-1].children.get(part)
            if node is None:
                break
            path.append(node)
        return path

    def _before_read(self, path: list[_Node], depth: int) -> list[frozenset[int]]:
        """The writers at the key and below it; if there are none, the last one above it."""
        node = path[depth] if len(path) > depth else None
        if node is not None and node.writes:
            return [self._writers(node)]
        return self._last_writer(path)

    def _before_write(self, path: list[_Node], depth: int) -> list[frozenset[int]]:
        """Readers and writers at the key and below, and the readers above it since the last."""
        found, since = [], max(node.writer for node in path)
        node = path[depth] if len(path) > depth else None
        if node is not None:
            if node.writes:
                since = max(since, next(reversed(node.writes)))
            if node.reads:
                found.append(self._of(node.reads))
            own_read = next(reversed(node.readers), -1)
            if own_read < since and node.writes:
                found.append(self._writers(node))
        for above in path[:depth]:
            found.append(self._readers(above, since))
        return found if any(found) else self._last_writer(path)

    def _last_writer(self, path: list[_Node]) -> list[frozenset[int]]:
        last = max(node.writer for node in path)
        return [frozenset([self._calls[last]])] if last >= 0 else []

    def _writers(self, node: _Node) -> frozenset[int]:
        if node.writes_set is None:
            recent = []
            for entry in reversed(node.writes):
                if entry < node.seen:
                    break
                recent.append(entry)
            node.writes_set = self._of(recent)
        return node.writes_set

    def _readers(self, node: _Node, since: int) -> frozenset[int]:
        if not node.readers or next(reversed(node.readers)) < since:
            return frozenset()
        if next(iter(node.readers)) > since:
            if node.readers_set is None:
                node.readers_set = self._of(node.readers)
            return node.readers_set
        recent = []
        for entry in reversed(node.readers):
            if entry < since:
                break
            recent.append(entry)
        return self._of(recent)

    def _of(self, entries: Iterable[int]) -> frozenset[int]:
        return frozenset(map(self._calls.__getitem__, entries))

    def _nearest(self, sources: list[frozenset[int]]) -> frozenset[int]:
        if not sources:
            return frozenset()
        if len(sources) == 1:
            return sources[0]
        every = frozenset().union(*sources)
        if len(every) > _FEW:
            return every
        implied = frozenset().union(*(self._before[index] for index in every))
        return every - implied

    def _read(self, key: Key, entry: int) -> None:
        path = self._made_path(key)
        last = path[-1]
        last_write = next(reversed(last.writes), -1)
        if last_write > next(reversed(last.readers), -1):
            # This call waits for that writer, and that writer for the readers before it.
            for old in last.readers:
                for node in path:
                    node.reads.pop(old, None)
            last.readers = {}
        for node in path:
            node.reads[entry] = None
        last.readers[entry] = None
        last.readers_set = None

    def _write(self, key: Key, entry: int) -> None:
        path = self._made_path(key)
        last = path[-1]
        for above in path[:-1]:  # what is written over now is waited for by this call
            for old in last.reads:
                above.reads.pop(old, None)
            for old in last.writes:
                above.writes.pop(old, None)
        last.reads, last.writes, last.readers, last.children = {}, {}, {}, {}
        last.readers_set = None
        last.writer = entry
        seen = -1
        for node in path:
            seen = max(seen, next(reversed(node.readers), -1))
            node.seen = seen
            node.writes[entry] = None
            node.writes_set = None

    def _made_path(self, key: Key) -> list[_Node]:
        path = [self._root]
        for part in key:
            path.append(path[-1].children.setdefault(part, _Node()))
        return path


def chain_seconds(predecessors: Sequence[frozenset[int]], seconds: Sequence[float]) -> list[float]:
    """For each call the length of the longest chain that begins with it, in seconds.

    >>> chain_seconds([frozenset(), frozenset([0])], [1.0, 2.0])
    [3.0, 2.0]
    """
    chains = list(seconds)
    longest_behind: dict[int, float] = {}  # by the set of those before, of which many are shared
    sets_with: defaultdict[int, dict[int, None]] = defaultdict(dict)
    known: set[int] = set()
    for before in predecessors:
        if before and id(before) not in known:
            known.add(id(before))
            for index in before:
                sets_with[index][id(before)] = None
    for index in range(len(chains) - 1, -1, -1):
        behind = (longest_behind.get(each, 0.0) for each in sets_with.get(index, ()))
        chains[index] += max(behind, default=0.0)
        own = id(predecessors[index])
        longest_behind[own] = max(longest_behind.get(own, 0.0), chains[index])
    return chains

"""Sizes that know how they depend on the batch, so that a plan for one batch serves smaller ones, too.

A kernel's layout is arithmetic with sizes. Done once with `Size` in place of the batch's int, it leaves behind for
every argument an expression, and for every comparison a guard:

    expression    a constant and multiples of atoms; atom 0 is the batch, others are products and floored quotients of
                  two expressions
    guard         the sign of an expression, as it was when the layout was made

For another batch the expressions are evaluated; where a guard does not hold any more, or where the arithmetic left what
can be followed, the layout is made anew.
"""

from __future__ import annotations

from typing import Any

Terms = tuple[tuple[int, float], ...]
Expression = tuple[float, Terms]
Guard = tuple[float, Terms, bool, bool]


class Trace:
    """The atoms of a plan, and what one layout has compared so far.

    Args:
        batch: the batch that the sizes stand for now.

    Attributes:
        atoms: how each atom after the first follows: whether it is a quotient, and its two expressions.
        values: of the atoms, for `batch`.
        guards: comparisons of the layout at hand: (constant, terms, whether to ask for zero, what it was).
        lost: whether a size of the layout at hand became a plain number.
    """

    __slots__ = ("_known", "atoms", "batch", "guards", "lost", "values")

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.atoms: list[tuple[bool, Expression, Expression]] = []
        self.values: list[float] = [batch]
        self.guards: list[Guard] = []
        self.lost = False
        self._known: dict[Any, int] = {}

    def begin(self) -> None:
        """Start with another layout."""
        self.guards, self.lost = [], False

    def size(self, per_sample: int) -> Size:
        """A dimension that is `per_sample` for each sample of the batch."""
        return Size(self, 0, ((0, per_sample),))

    def atom(self, quotient: bool, left: Expression, right: Expression) -> Size:
        """The floored quotient, or the product, of two expressions."""
        key = (quotient, left, right)
        found = self._known.get(key)
        if found is None:
            self.values.append(_atom(key, self.values))
            found = self._known[key] = len(self.atoms) + 1
            self.atoms.append(key)
        return Size(self, 0, ((found, 1),))

    def atoms_of(self, batch: int) -> list[float]:
        """The values of all atoms for another batch."""
        values: list[float] = [batch]
        for one in self.atoms:
            values.append(_atom(one, values))
        return values


def _atom(one: tuple[bool, Expression, Expression], values: list[float]) -> float:
    """The value of an atom; a quotient by zero is one of a layout whose guards do not hold."""
    quotient, left, right = one
    first, second = evaluate(*left, values), evaluate(*right, values)
    if quotient:
        return first // second if second else 0
    return first * second


def evaluate(constant: float, terms: Terms, values: list[float]) -> float:
    """The value of an expression."""
    for atom, factor in terms:
        constant += factor * values[atom]
    return constant


def holds(guards: list[Guard], values: list[float]) -> bool:
    """Whether all comparisons end as they did."""
    for constant, terms, zero, was in guards:
        value = evaluate(constant, terms, values)
        if (value == 0 if zero else value < 0) is not was:
            return False
    return True


def _merged(first: Terms, second: Terms, sign: int) -> Terms:
    if not second:
        return first
    sums = dict(first)
    for atom, factor in second:
        sums[atom] = sums.get(atom, 0) + sign * factor
    return tuple(sorted((atom, factor) for atom, factor in sums.items() if factor))


class Size:
    """A number that depends on the batch; it computes like one, and becomes one where something else needs one."""

    __slots__ = ("constant", "terms", "trace")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, trace: Trace, constant: float, terms: Terms) -> None:
        self.trace = trace
        self.constant = constant
        self.terms = terms

    @property
    def value(self) -> Any:
        """What it is for the batch of its trace."""
        return evaluate(self.constant, self.terms, self.trace.values)

    def _lost(self) -> Any:
        self.trace.lost = True
        return self.value

    def __index__(self) -> int:
        return int(self._lost())

    def __int__(self) -> int:
        return int(self._lost())

    def __float__(self) -> float:
        return float(self._lost())

    def __str__(self) -> str:
        return str(self._lost())

    __repr__ = __str__

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Size):
            return Size(self.trace, self.constant + other.constant, _merged(self.terms, other.terms, 1))
        return Size(self.trace, self.constant + other, self.terms)

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Size):
            return Size(self.trace, self.constant - other.constant, _merged(self.terms, other.terms, -1))
        return Size(self.trace, self.constant - other, self.terms)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Size):
            if other.terms and self.terms:
                return self.trace.atom(False, (self.constant, self.terms), (other.constant, other.terms))
            if not self.terms:
                return other * self.constant
            other = other.constant
        return Size(self.trace, self.constant * other, tuple((atom, factor * other) for atom, factor in self.terms))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self * (1 / float(other))

    def __rtruediv__(self, other: Any) -> Any:
        return other / self._lost()

    def __floordiv__(self, other: Any) -> Any:
        right = (other.constant, other.terms) if isinstance(other, Size) else (other, ())
        return self.trace.atom(True, (self.constant, self.terms), right)

    def __rfloordiv__(self, other: Any) -> Any:
        return self.trace.atom(True, (other, ()), (self.constant, self.terms))

    def __mod__(self, other: Any) -> Any:
        return self - self // other * other

    def __rmod__(self, other: Any) -> Any:
        return other - other // self * self

    def _compare(self, other: Any, flip: bool) -> bool:
        """Whether self < other, or other < self."""
        difference = other - self if flip else self - other
        if not isinstance(difference, Size):
            return bool(difference < 0)
        is_less = difference.value < 0
        self.trace.guards.append((difference.constant, difference.terms, False, is_less))
        return bool(is_less)

    def __lt__(self, other: Any) -> bool:
        return self._compare(other, False)

    def __gt__(self, other: Any) -> bool:
        return self._compare(other, True)

    def __ge__(self, other: Any) -> bool:
        return not self._compare(other, False)

    def __le__(self, other: Any) -> bool:
        return not self._compare(other, True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (int, float, Size)):
            return False
        difference = self - other
        is_zero = difference.value == 0
        self.trace.guards.append((difference.constant, difference.terms, True, is_zero))
        return bool(is_zero)

    def __bool__(self) -> bool:
        return self != 0


def plain(value: Any) -> Any:
    """A number as it is for the batch of its trace."""
    return value.value if isinstance(value, Size) else value

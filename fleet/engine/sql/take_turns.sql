-- J3 take_turns: Wait until no other transaction has any of these turns, and have them until this one ends.
-- calls by turn: turn text
-- returns: n, locked
WITH calls AS ({calls})
SELECT calls.n, pg_advisory_xact_lock(hashtextextended(calls.turn, 0)) AS locked
FROM calls

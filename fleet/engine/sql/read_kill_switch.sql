-- J4 read_kill_switch: Return why the kill switch is on; no row if it is off. It stands before every outside write.
-- calls by scope: scope text
-- returns: n, reason, set_by
WITH calls AS ({calls})
SELECT calls.n, controls.reason, controls.set_by
FROM calls
JOIN controls ON controls.scope = calls.scope
WHERE controls.key = '*' AND controls.hold = 'kill'

UPDATE gate_vote SET void_by = $2 WHERE gate = $1 AND seq < $2 AND void_by IS NULL

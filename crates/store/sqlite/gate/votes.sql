SELECT record, seq FROM gate_vote WHERE gate = ?1 AND void_by IS NULL ORDER BY seq

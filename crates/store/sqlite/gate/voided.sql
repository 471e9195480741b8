SELECT record FROM gate_vote WHERE gate = ?1 AND void_by IS NOT NULL ORDER BY seq

SELECT record FROM gate_vote WHERE gate = $1 ORDER BY seq

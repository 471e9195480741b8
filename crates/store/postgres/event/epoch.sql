SELECT epoch FROM event WHERE seq = $1

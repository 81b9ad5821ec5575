-- Writes token hashes of a full sync, each only if config:keys still holds the
-- key as the sync knows it: a key that was deleted or changed meanwhile has
-- been dealt with by that change.
-- KEYS: config:keys, then token hashes. ARGV: six for each: the field and value
-- in config:keys, status, group, weight, balance.
for i = 2, #KEYS do
  local a = (i - 2) * 6
  if redis.call('HGET', KEYS[1], ARGV[a + 1]) == ARGV[a + 2] then
    redis.call('DEL', KEYS[i])
    redis.call('HSET', KEYS[i], 'status', ARGV[a + 3], 'group', ARGV[a + 4], 'weight', ARGV[a + 5], 'balance', ARGV[a + 6])
  end
end
return #KEYS - 1

-- Writes token hashes of a full sync, each only if config:keys still holds the
-- key as the sync knows it: a key that was deleted or changed meanwhile has
-- been dealt with by that change.
-- KEYS: config:keys, then for each key auth:token:<hash> and auth:retiring:<hash
-- before its rotation>, or the former again when there is none. ARGV: seven for
-- each: the field and value in config:keys, status, group, weight, balance, and
-- until when the rotation lasts (ms).
for i = 2, #KEYS, 2 do
  local a = (i - 2) / 2 * 7
  if redis.call('HGET', KEYS[1], ARGV[a + 1]) == ARGV[a + 2] then
    redis.call('DEL', KEYS[i])
    redis.call('HSET', KEYS[i], 'status', ARGV[a + 3], 'group', ARGV[a + 4], 'weight', ARGV[a + 5], 'balance', ARGV[a + 6])
    if KEYS[i + 1] ~= KEYS[i] then
      redis.call('SET', KEYS[i + 1], ARGV[a + 1])
      redis.call('PEXPIREAT', KEYS[i + 1], ARGV[a + 7])
    end
  end
end
return (#KEYS - 1) / 2

package seal

// Keyring seals and opens secrets.
type Keyring struct{}

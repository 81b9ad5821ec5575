package control

// For tests and fuzzing of what no caller reaches by itself.
var (
	Patched    = patched
	MergePatch = mergePatch
	MaskValue  = maskValue
)

// CheckPHC reads a stored password hash.
func CheckPHC(s string) error {
	_, err := parsePHC(s)
	return err
}

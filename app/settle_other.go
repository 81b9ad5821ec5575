//go:build !linux

package app

// forgetProgram does nothing: what stays resident is for the system to decide.
func forgetProgram() error { return nil }

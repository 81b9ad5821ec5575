// Package app turns the packages of Sluice into a program: it reads the
// configuration, builds the subcommands and wires the planes together.
//
// Start at [Main]. A binary with plugins of its own is a main function in
// another module that calls Main with them:
//
//	package main
//
//	import (
//		"github.com/sluicegate/sluice/app"
//		"example.com/acme/stamp"
//	)
//
//	func main() { app.Main(stamp.Spec()) }
package app

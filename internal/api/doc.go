// Package api is the HTTP face of the control plane: resources, sign-in,
// self-service, the compatibility paths, the set-up form, and the OpenAPI
// document that is generated from the operations themselves.
//
// It turns requests into calls of [control.Session] and answers into JSON. It
// decides nothing about permission, validity of objects or storage: every
// operation goes through control's one gate. What it does own is the wire:
// strict bodies with JSON pointers in their errors, ETags, cookies and CSRF,
// the one error shape of feature I6, limits and security headers.
//
// Start at [New]; [registerKind] shows how one kind of object becomes its six
// operations, and [strictDecode] how a body is read.
package api

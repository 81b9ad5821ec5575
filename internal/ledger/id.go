package ledger

import "github.com/sluicegate/sluice"

// id derives the id of the n-th transfer of a subject in a role that is booked for
// a request. It begins with the request's own, so that what is booked together
// lies together (see [sluice.TransferID.Of]), but for requests that may have
// transfers of the former form: whatever is asked for twice has to find one id,
// also when a new version of the product asks for it again.
func (b *Book) id(request sluice.RequestID, subject, role string, n int) sluice.TransferID {
	id := sluice.NewTransferID(subject, role, n)
	if request.Time().Before(b.former) {
		return id
	}
	return id.Of(request)
}

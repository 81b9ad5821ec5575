package control

import (
	"context"

	"github.com/sluicegate/sluice"
)

// Records returns finished requests, newest first. Callers whose roles permit
// their own records only get those.
func (s *Session) Records(ctx context.Context, q sluice.RecordQuery) (sluice.Page[sluice.Record], error) {
	if err := s.limitRecords(&q); err != nil {
		return sluice.Page[sluice.Record]{}, err
	}
	return s.c.db.Records(ctx, q)
}

// Usage aggregates finished requests, within the limits of [Session.Records].
func (s *Session) Usage(ctx context.Context, q sluice.UsageQuery) ([]sluice.UsageRow, error) {
	if err := s.limitRecords(&q.RecordQuery); err != nil {
		return nil, err
	}
	return s.c.db.Usage(ctx, q)
}

// limitRecords restricts a query to what the caller may read.
func (s *Session) limitRecords(q *sluice.RecordQuery) error {
	tenant, err := s.reportTenant("records", q.Tenant)
	if err != nil {
		return err
	}
	q.Tenant = tenant
	if s.caller.may("records", verbRead, false) {
		return nil
	}
	if !s.caller.may("records", verbRead, true) || q.User != "" && q.User != s.caller.User {
		return forbidden("your roles do not permit reading these records")
	}
	q.User = s.caller.User
	return nil
}

// reportTenant returns the tenant to select by, "" for all.
func (s *Session) reportTenant(what, tenant string) (string, error) {
	switch {
	case s.caller.Platform && tenant == everyTenant:
		return "", nil
	case tenant == "", tenant == everyTenant:
		return s.caller.Tenant, nil
	case s.caller.Platform || tenant == s.caller.Tenant:
		return tenant, nil
	}
	return "", sluice.Errorf(sluice.CodeNotFound, "no such %s", what)
}

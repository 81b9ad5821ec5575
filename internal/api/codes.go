package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/sluicegate/sluice"
	"github.com/sluicegate/sluice/internal/control"
)

// registerCodes adds redemption codes.
func (s *server) registerCodes() {
	register(s, operation{id: "create-codes", method: http.MethodPost, path: billingPath + "codes", tag: "billing", status: http.StatusCreated,
		summary:     "Make redemption codes",
		description: "They are shown once; only their hashes are kept. With an Idempotency-Key, the same request again answers the codes without their plaintext. Platform admins only.",
		body:        reflect.TypeFor[sluice.CodeOrder](), example: sluice.CodeOrder{Count: 10, Amount: 5 * sluice.NanosPerUnit, Asset: "USD", Note: "meetup"},
		errors: []sluice.Code{sluice.CodeIdempotency}}, createCodes)
	register(s, operation{id: "list-codes", method: http.MethodGet, path: billingPath + "codes", tag: "billing",
		summary: "List redemption codes without their plaintext", description: "Platform admins only."}, listCodes)
	register(s, operation{id: "revoke-code", method: http.MethodDelete, path: billingPath + "codes/{id}", tag: "billing",
		summary: "Make a code void", description: "One that was redeemed is 409. Platform admins only.",
		errors: []sluice.Code{sluice.CodeNotFound, sluice.CodeConflict}}, revokeCode)
	register(s, operation{id: "redeem-code", method: http.MethodPost, path: billingPath + "redeem", tag: "billing", ledger: true,
		summary:     "Turn a code into money in the own wallet",
		description: "That of the caller's tenant where the caller may, otherwise that of the caller's user; wallet chooses. A code is redeemed once. One that was redeemed, revoked or has expired is 409 with its status in details; failed attempts are bounded.",
		body:        reflect.TypeFor[redeemBody](), example: redeemBody{Code: "SLR-ABCDE-FGHIJ-KLMNO-PQRST"},
		errors: []sluice.Code{sluice.CodeNotFound, sluice.CodeConflict, sluice.CodeIdempotency, sluice.CodeRequestRate, sluice.CodeUnavailable}}, redeemCode)
}

type codesOutput struct {
	Body struct {
		Items []sluice.RedemptionCode `json:"items"`
	}
}

func createCodes(ctx context.Context, ses *control.Session, in *RepeatQuery) (*codesOutput, error) {
	var order sluice.CodeOrder
	if err := decodeBody(ctx, &order, nil); err != nil {
		return nil, err
	}
	codes, err := ses.CreateCodes(ctx, order, in.options())
	if err != nil {
		return nil, err
	}
	out := &codesOutput{}
	out.Body.Items = codes
	return out, nil
}

func listCodes(ctx context.Context, ses *control.Session, in *struct {
	PageQuery
	Order uint64 `query:"order" doc:"Keeps the codes of one order."`
}) (*pageOutput[sluice.RedemptionCode], error) {
	page, err := ses.Codes(ctx, sluice.CodeQuery{Order: in.Order, Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &pageOutput[sluice.RedemptionCode]{page}, nil
}

type codeOutput struct{ Body sluice.RedemptionCode }

func revokeCode(ctx context.Context, ses *control.Session, in *struct {
	ID uint64 `path:"id" doc:"The code's number."`
}) (*codeOutput, error) {
	c, err := ses.RevokeCode(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &codeOutput{c}, nil
}

type redeemBody struct {
	Code   string `json:"code" maxLength:"64" doc:"In any case, with or without dashes."`
	Wallet string `json:"wallet,omitempty" enum:"tenant,user"`
}

type redeemOutput struct{ Body sluice.Payment }

func redeemCode(ctx context.Context, ses *control.Session, in *RepeatQuery) (*redeemOutput, error) {
	var body redeemBody
	if err := decodeBody(ctx, &body, nil); err != nil {
		return nil, err
	}
	p, err := ses.Redeem(ctx, body.Code, body.Wallet, in.options())
	if err != nil {
		return nil, err
	}
	return &redeemOutput{p}, nil
}

package sluice

// Code names one kind of error, stable for ever. The families are those of
// feature I6: AUTH, BILLING, ROUTER, PROVIDER, RATE_LIMIT, COMMON, CONFIG.
type Code string

// The codes; [CodeInfo] and docs/errors.md say what each means.
const (
	CodeUnauthorized Code = "AUTH_001"
	CodeForbidden    Code = "AUTH_002"
	CodeMFARequired  Code = "AUTH_003"
	CodeLockedOut    Code = "AUTH_004"

	CodeInsufficientBalance Code = "BILLING_001"
	CodeChargeFailed        Code = "BILLING_002"
	CodeRefundFailed        Code = "BILLING_003"
	CodeDiscrepancy         Code = "BILLING_004"
	CodeNoPrice             Code = "BILLING_005"

	CodeNoTarget      Code = "ROUTER_001"
	CodeTargetsFailed Code = "ROUTER_002"
	CodeTimeout       Code = "ROUTER_003"

	CodeProviderAuth     Code = "PROVIDER_001"
	CodeProviderRate     Code = "PROVIDER_002"
	CodeProviderQuota    Code = "PROVIDER_003"
	CodeProviderModel    Code = "PROVIDER_004"
	CodeProviderError    Code = "PROVIDER_005"
	CodeProviderRefused  Code = "PROVIDER_006"
	CodeProviderTooLarge Code = "PROVIDER_007"

	CodeRequestRate Code = "RATE_LIMIT_001"
	CodeTokenRate   Code = "RATE_LIMIT_002"
	CodeConcurrency Code = "RATE_LIMIT_003"

	CodeInvalidRequest   Code = "COMMON_001"
	CodeNotFound         Code = "COMMON_002"
	CodeInternal         Code = "COMMON_003"
	CodeUnavailable      Code = "COMMON_004"
	CodeConflict         Code = "COMMON_005"
	CodePrecondition     Code = "COMMON_006"
	CodeTooLarge         Code = "COMMON_007"
	CodeMethodNotAllowed Code = "COMMON_008"
	CodeSlowClient       Code = "COMMON_009"
	CodeHeadTooLarge     Code = "COMMON_010"
	CodeUnsupported      Code = "COMMON_011"
	CodeReferenced       Code = "COMMON_012"
	CodeIdempotency      Code = "COMMON_013"
	CodeClientGone       Code = "COMMON_014"
	CodeMediaType        Code = "COMMON_015"
	CodeInProgress       Code = "COMMON_016"

	CodeConfig       Code = "CONFIG_001"
	CodeAddressInUse Code = "CONFIG_002"
	CodeDataLocked   Code = "CONFIG_003"
	CodeMasterKey    Code = "CONFIG_004"
	CodeDatabase     Code = "CONFIG_005"
	CodeSchemaNewer  Code = "CONFIG_006"
	CodePluginConfig Code = "CONFIG_007"
)

// Info is one row of the code table: what an operator, a client library and a
// person need to know of a code.
type Info struct {
	Code      Code
	Status    int    // HTTP status on every surface
	Retryable bool   // whether the same request may succeed later
	English   string // one sentence
	Chinese   string // the same sentence
	Remedy    string // what the person who meets it should do, in English
}

// CodeInfo returns the row of a code; an unknown code answers as
// [CodeInternal], so that a client always gets a whole answer.
func CodeInfo(c Code) Info {
	for _, row := range codeTable {
		if row.Code == c {
			return row
		}
	}
	return CodeInfo(CodeInternal)
}

// Codes returns the whole table in order, as a copy.
func Codes() []Info { return append([]Info(nil), codeTable...) }

// codeTable is the one place where a code, its status and its texts meet.
var codeTable = []Info{
	{CodeUnauthorized, 401, false, "The credential is missing, invalid or expired.", "凭证缺失、无效或已过期。", "Send a valid key or token; create a new one when it has expired."},
	{CodeForbidden, 403, false, "The credential is valid but does not permit this.", "凭证有效，但无权执行此操作。", "Ask an admin for the role, model, group or address that is missing."},
	{CodeMFARequired, 403, false, "Multi-factor authentication is required.", "需要多因素认证。", "Complete the second factor, then repeat the request."},
	{CodeLockedOut, 429, true, "Too many failed sign-ins; the account is locked for a while.", "登录失败次数过多，账户已被暂时锁定。", "Wait for Retry-After, then sign in again."},

	{CodeInsufficientBalance, 402, false, "The balance does not cover this request.", "余额不足以支付本次请求。", "Top up at top_up_url, or ask for a credit limit."},
	{CodeChargeFailed, 500, true, "The charge could not be booked.", "扣费失败。", "Repeat with the same Idempotency-Key; nothing is charged twice."},
	{CodeRefundFailed, 500, true, "The refund could not be booked.", "退款失败。", "Repeat with the same Idempotency-Key."},
	{CodeDiscrepancy, 500, false, "The books do not agree for this request.", "本次请求的账目不一致。", "Contact the operator with the trace id."},
	{CodeNoPrice, 403, false, "The model has no price, so nobody could be charged for it.", "该模型没有价格，无法计费。", "An operator must give the model a price, or mark it free."},

	{CodeNoTarget, 503, true, "No provider or upstream is available for this request.", "没有可用的供应商或上游。", "Retry later; an operator should look at the health of the group's members."},
	{CodeTargetsFailed, 503, true, "Every provider or upstream that was tried failed.", "所有尝试过的供应商或上游均失败。", "Retry later; the record lists the attempts."},
	{CodeTimeout, 504, true, "The upstream did not answer in time.", "上游响应超时。", "Retry, or raise the timeout of the route or provider."},

	{CodeProviderAuth, 502, false, "The provider refused the operator's credential.", "供应商拒绝了平台的凭证。", "An operator must renew the provider's api_key."},
	{CodeProviderRate, 429, true, "The provider's rate limit is reached.", "已达到供应商的速率限制。", "Wait for Retry-After, or add providers to the group."},
	{CodeProviderQuota, 502, false, "The provider's quota is used up.", "供应商配额已用尽。", "An operator must raise the quota at the provider."},
	{CodeProviderModel, 404, false, "The provider does not know this model.", "供应商不存在该模型。", "Correct the provider's models or model_map."},
	{CodeProviderError, 502, true, "The provider or upstream answered with an error or with something that is not an answer.", "供应商或上游返回错误或无法识别的内容。", "Retry; an operator finds the cause in the record."},
	{CodeProviderRefused, 400, false, "The provider refused the request as invalid.", "供应商认为请求无效。", "Correct the request as the message says."},
	{CodeProviderTooLarge, 502, false, "The upstream's answer exceeds a limit.", "上游响应超出限制。", "Raise the limit of the route if such answers are expected."},

	{CodeRequestRate, 429, true, "Too many requests.", "请求过于频繁。", "Wait for Retry-After; ask for a higher rpm."},
	{CodeTokenRate, 429, true, "Too many tokens per minute.", "每分钟令牌数超限。", "Wait for Retry-After; ask for a higher tpm."},
	{CodeConcurrency, 429, true, "Too many requests at once.", "并发请求过多。", "Let running requests finish, then retry."},

	{CodeInvalidRequest, 400, false, "The request is invalid.", "请求无效。", "Correct the field that the message names."},
	{CodeNotFound, 404, false, "Not found.", "未找到。", "Check the path, the name and the tenant."},
	{CodeInternal, 500, true, "Internal error.", "内部错误。", "Retry; report the trace id if it stays."},
	{CodeUnavailable, 503, true, "The service is unavailable for the moment.", "服务暂时不可用。", "Retry after Retry-After."},
	{CodeConflict, 409, false, "It conflicts with what exists.", "与现有数据冲突。", "Choose another name, or read the current state and decide again."},
	{CodePrecondition, 412, false, "It was changed by someone else meanwhile.", "数据已被他人修改。", "Read it again, apply the change to the new version, send its ETag in If-Match."},
	{CodeTooLarge, 413, false, "The request body is too large.", "请求体过大。", "Send less, or have the route's limit raised."},
	{CodeMethodNotAllowed, 405, false, "The method is not allowed here.", "不允许使用该方法。", "Use a method from the Allow header."},
	{CodeSlowClient, 408, true, "The request did not arrive in time.", "请求未能及时送达。", "Send the head and body without long pauses."},
	{CodeHeadTooLarge, 431, false, "The request head or URL is too large.", "请求头或 URL 过大。", "Send fewer or shorter headers."},
	{CodeUnsupported, 501, false, "This operation is not supported.", "不支持该操作。", "See docs/FEATURES.md for what is supported today."},
	{CodeReferenced, 409, false, "Other objects still refer to it.", "仍有其他对象引用它。", "Change or delete the referrers listed in details first."},
	{CodeIdempotency, 422, false, "The Idempotency-Key was used with another request.", "该 Idempotency-Key 已用于其他请求。", "Use a fresh key for a different request."},
	{CodeClientGone, 499, false, "The client went away before the answer was complete.", "客户端在响应完成前断开。", "Nothing to do; the record keeps what was delivered."},
	{CodeInProgress, 409, true, "A request with this Idempotency-Key is still in progress.", "使用该 Idempotency-Key 的请求仍在处理中。", "Wait for Retry-After, then repeat the same request."},
	{CodeMediaType, 415, false, "The content type is not supported here.", "不支持该内容类型。", "Send the content type that the operation documents."},

	{CodeConfig, 500, false, "The configuration is invalid.", "配置无效。", "Run `sluice config lint` and correct what it names."},
	{CodeAddressInUse, 500, false, "A listen address is already in use.", "监听地址已被占用。", "Stop the other process, or change the setting that the message names."},
	{CodeDataLocked, 500, false, "Another Sluice process uses this data folder.", "数据目录正被另一个 Sluice 进程使用。", "Stop that process, or choose another SLUICE_DATA_DIR."},
	{CodeMasterKey, 503, false, "The master key is missing or does not open the stored secrets.", "主密钥缺失或无法解密已存储的机密。", "Set SLUICE_MASTER_KEY to the key that sealed this data."},
	{CodeDatabase, 503, true, "The database cannot be used.", "数据库不可用。", "Look at the process log: locked, full or damaged files are named there."},
	{CodeSchemaNewer, 503, false, "The database was written by a newer version.", "数据库由更新版本写入。", "Run the newer binary."},
	{CodePluginConfig, 400, false, "The plugin configuration is invalid.", "插件配置无效。", "Correct the field that the message names; the schema is at /admin/v1/plugins."},
}

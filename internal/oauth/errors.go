package oauth

import (
	"fmt"

	"github.com/lanyard-id/lanyard/internal/fault"
)

// Error is a refusal in Okta's words. Its texts may be read by strangers; its
// cause may not.
type Error struct {
	Name   string // Okta's internal name, unique: "client_assertion_expired_token"
	Status int    // of HTTP
	Code   string // the protocol's error code: "invalid_client"
	Text   string // error_description
	cause  error
}

func (e *Error) Error() string {
	text := e.Code + ": " + e.Text
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap gives the refusal the kind of fault that its status stands for.
func (e *Error) Unwrap() error {
	kind := fault.Invalid
	switch e.Status {
	case 401:
		kind = fault.Unauthorized
	case 403:
		kind = fault.Forbidden
	case 500:
		kind = fault.Internal
	}
	return fault.Wrap(kind, e.cause, "%s", e.Text)
}

func (e *Error) because(cause error) *Error {
	e.cause = cause
	return e
}

// Refuse returns the refusal with a name of the table, with args in its text.
func Refuse(name string, args ...any) *Error {
	row, ok := refusals[name]
	if !ok {
		row = refusals["server_error"]
	}
	text := row.text
	if len(args) > 0 {
		text = fmt.Sprintf(text, args...)
	}
	return &Error{Name: name, Status: row.status, Code: row.code, Text: text}
}

// refusals are the errors of the authorization server that can happen here, by
// Okta's internal names, with its statuses, codes and texts (okta-developer-docs,
// oauth2-error-codes.json; a test compares them). %s is what the text speaks of.
var refusals = map[string]struct {
	status int
	code   string
	text   string
}{
	"server_error":  {500, "server_error", "The authorization server encountered an unexpected condition that prevented it from fulfilling the request."},
	"access_denied": {403, "access_denied", "The resource owner or authorization server denied the request."},

	// requests
	"invalid_request":               {400, "invalid_request", "Invalid request"},
	"duplicate_oauth_params":        {400, "invalid_request", "The request contained multiple parameters with the same name."},
	"illegal_duplicated_parameters": {400, "invalid_request", "Duplicate parameter provided in request. Duplicated parameters: [%s]."},
	"client_credentials_in_query":   {400, "invalid_request", "Client credentials cannot be supplied via query parameters."},
	"multiple_client_credentials":   {401, "invalid_request", "Cannot supply multiple client credentials. Use one of the following: credentials in the Authorization header, credentials in the post body, or a client_assertion in the post body."},
	"token_request_missing_grant_type": {
		400, "invalid_request", "The token request must specify a 'grant_type'. Valid values: [%s]",
	},
	"missing_token_request_parameter": {400, "invalid_request", "The required parameter '%s' is missing."},
	"request_missing_token":           {400, "invalid_request", "The 'token' parameter is required."},
	"unsupported_grant_type": {
		400, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server. Configured grant types: [%s].",
	},
	"unauthorized_client": {400, "unauthorized_client", "The client is not authorized to use the provided grant type. Configured grant types: [%s]."},

	// client authentication
	"invalid_client":                     {401, "invalid_client", "Client authentication failed. Either the client or the client credentials are invalid."},
	"invalid_token_endpoint_auth_method": {401, "invalid_client", "Client authentication failed. Either the client or the client credentials are invalid."},
	"missing_client_credentials":         {401, "invalid_client", "No client credentials found."},
	"invalid_basic_auth_creds":           {401, "invalid_client", "Found Authentication header but was not valid client credentials."},
	"invalid_client_id":                  {401, "invalid_client", "Invalid value for 'client_id' parameter."},
	"invalid_client_secret":              {401, "invalid_client", "The client secret supplied for a confidential client is invalid."},
	"unsupported_auth_method_client_creds": {
		401, "invalid_client", "Client Credentials requests to the Org Authorization Server must use the private_key_jwt token_endpoint_auth_method.",
	},
	"invalid_application_type_client_credentials": {
		401, "invalid_client", "Only clients with 'application_type' of 'service' may use the client_credentials 'grant_type' with the Org Authorization Server.",
	},
	"client_assertion_type_invalid":                {400, "invalid_request", "The client_assertion_type is invalid."},
	"client_assertion_invalid_issuer":              {401, "invalid_client", "The issuer claim for client_assertion is not a valid client_id."},
	"client_assertion_invalid_subject":             {401, "invalid_client", "The subject claim for client_assertion is not a valid client_id."},
	"client_assertion_invalid_audience":            {401, "invalid_client", "The audience claim for client_assertion must be the endpoint invoked for the request."},
	"client_assertion_expiration_required":         {401, "invalid_client", "The client_assertion must contain the 'exp' claim as seconds since epoch."},
	"client_assertion_expired_token":               {401, "invalid_client", "The client_assertion token is expired."},
	"client_assertion_expires_too_far_in_future":   {401, "invalid_client", "The client_assertion token has an expiration too far into the future."},
	"client_assertion_issued_at_in_future":         {401, "invalid_client", "The client_assertion token must be issued before the current time."},
	"client_assertion_already_used":                {401, "invalid_client", "The client_assertion token has already been used."},
	"client_assertion_invalid_signature":           {401, "invalid_client", "The client_assertion signature is invalid."},
	"client_assertion_invalid_jwt":                 {401, "invalid_client", "The parsing of the client_assertion failed."},
	"client_assertion_invalid_kid":                 {401, "invalid_client", "The client_assertion JWT kid is invalid."},
	"client_assertion_invalid_jwks":                {401, "invalid_client", "The client JWKSet is invalid."},
	"client_assertion_invalid_signature_algorithm": {401, "invalid_client", "The client_assertion JWT signature algorithm is invalid."},
	"client_assertion_jwks_not_configured":         {401, "invalid_client", "The client does not have a JWKSet configured, but the client_assertion requires one."},
	"client_assertion_invalid_key_use":             {401, "invalid_client", "The public key being used for client assertion has an invalid 'use' parameter. Valid values for the 'use' parameter are %s."},
	"jwks_uri_error":                               {401, "invalid_client", "Error retrieving the client JWKSet from jwks_uri."},

	// scopes
	"missing_scopes":                          {400, "invalid_scope", "No scopes were requested."},
	"no_matching_scope":                       {400, "invalid_scope", "One or more scopes are not configured for the authorization server resource."},
	"openid_scope_required":                   {400, "invalid_scope", "Requests for ID tokens or access tokens with OpenID scopes require the 'openid' scope."},
	"openid_not_allowed_client_creds":         {400, "invalid_scope", "Cannot request 'openid' scopes using client credentials."},
	"client_credentials_self_scope_requested": {400, "client_credentials_self_scope_requested", "The 'client_credentials' grant type may not request .self scopes."},
	"consent_required":                        {400, "consent_required", "The following scopes require user consent: [%s]."},

	// the authorization request
	"illegal_redirect_uri":                   {400, "invalid_request", "The 'redirect_uri' parameter must be a Login redirect URI in the client app settings."},
	"invalid_client_application_type":        {400, "invalid_request", "Clients with 'application_type' of 'service' are not allowed to access the '%s' endpoint."},
	"unsupported_response_type":              {400, "unsupported_response_type", "The response type is not supported by the authorization server. Configured response types: [%s]."},
	"unsupported_response_mode":              {400, "unsupported_response_mode", "The response mode is not supported by the authorization server. Valid response modes: [query, fragment, form_post, okta_post_message]."},
	"invalid_state":                          {400, "invalid_request", "The authentication request has an invalid 'state' parameter."},
	"invalid_prompt":                         {400, "invalid_request", "Invalid value for 'prompt' parameter. Supported values: [%s]"},
	"invalid_max_age":                        {400, "invalid_request", "Invalid value for 'max_age' parameter. It should be within range 0 - 2^31-1."},
	"pkce_missing_challenge":                 {400, "invalid_request", "PKCE code challenge is required by the application."},
	"pkce_invalid_challenge":                 {400, "invalid_request", "PKCE code challenge contains illegal characters."},
	"pkce_unsupported_code_challenge_method": {400, "invalid_request", "PKCE code challenge method is not supported. Valid values: [%s]"},
	"login_required":                         {400, "login_required", "The client specified not to prompt, but the user is not logged in."},
	"request_expired":                        {400, "login_required", "Request expired, please start over and try again."},
	"user_not_assigned":                      {400, "access_denied", "User is not assigned to the client application."},
	"illegal_post_logout_redirect_uri":       {400, "invalid_request", "The 'post_logout_redirect_uri' parameter must be a Logout redirect URI in the client app settings."},

	// codes and refresh tokens
	"invalid_authorization_code":              {400, "invalid_grant", "The authorization code is invalid or has expired."},
	"mismatched_client":                       {400, "invalid_grant", "The grant was issued to another client. Please make sure the 'client_id' matches the one used at the authorize request."},
	"mismatched_redirect_uri":                 {400, "invalid_grant", "The 'redirect_uri' does not match the redirection URI used in the authorization request."},
	"pkce_missing_verifier":                   {400, "invalid_request", "PKCE code verifier is required by the application."},
	"pkce_missing_challenge_verifier_present": {400, "invalid_request", "PKCE code challenge should be specified in the authorize request for code verification."},
	"pkce_verification_failed":                {400, "invalid_grant", "PKCE verification failed."},
	"invalid_refresh_token":                   {400, "invalid_grant", "The refresh token is invalid or expired."},
	"refresh_scopes_denied":                   {400, "access_denied", "Some of the scopes requested for the refresh request were not granted in the original authorize request. Denied scopes: %s."},

	// proofs of possession
	"use_dpop_nonce":                                  {400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof."},
	"invalid_dpop_proof":                              {400, "invalid_dpop_proof", "The DPoP proof JWT is invalid."},
	"invalid_dpop_proof_missing_header":               {400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."},
	"invalid_dpop_proof_multiple_headers_not_allowed": {400, "invalid_dpop_proof", "Multiple DPoP proof JWT headers are not allowed."},
	"invalid_dpop_proof_invalid_type":                 {400, "invalid_dpop_proof", "'typ' must be 'dpop+jwt' in the DPoP proof JWT."},
	"invalid_dpop_proof_invalid_signature_algorithm":  {400, "invalid_dpop_proof", "The DPoP proof JWT signature algorithm is invalid."},
	"invalid_dpop_proof_invalid_jwt":                  {400, "invalid_dpop_proof", "The DPoP proof JWT cannot be parsed."},
	"invalid_dpop_proof_invalid_signature":            {400, "invalid_dpop_proof", "The DPoP proof JWT signature is invalid."},
	"invalid_dpop_proof_invalid_htm":                  {400, "invalid_dpop_proof", "'htm' claim in the DPoP proof JWT is invalid."},
	"invalid_dpop_proof_invalid_htu":                  {400, "invalid_dpop_proof", "'htu' claim in the DPoP proof JWT is invalid."},
	"invalid_dpop_proof_invalid_iat":                  {400, "invalid_dpop_proof", "'iat' claim in the DPoP proof JWT is invalid."},
	"invalid_dpop_proof_jwt_issued_in_future":         {400, "invalid_dpop_proof", "The DPoP proof JWT is issued in the future."},
	"invalid_dpop_proof_jwt_too_old":                  {400, "invalid_dpop_proof", "The DPoP proof JWT is issued more than five minutes in the past."},
	"invalid_dpop_proof_jwt_expired":                  {400, "invalid_dpop_proof", "The DPoP proof JWT is expired."},
	"invalid_dpop_proof_invalid_public_key_binding":   {400, "invalid_dpop_proof", "Invalid DPoP Public Key binding in refresh token"},
	"invalid_dpop_proof_invalid_jti":                  {400, "invalid_dpop_proof", "'jti' claim in the DPoP proof JWT is invalid."},
	"dpop_proof_already_used":                         {400, "invalid_dpop_proof", "The DPoP proof JWT has already been used."},
	"dpop_proof_invalid_ath":                          {400, "invalid_dpop_proof", "'ath' claim in the DPoP proof does not match the presented access_token."},
	"invalid_access_token_dpop_binding":               {400, "invalid_dpop_proof", "The access_token is not bound to the provided DPoP proof."},
	"dpop_proof_required_for_token":                   {400, "invalid_request", "The resource request requires a DPoP proof."},
	"dpop_authentication_scheme_required":             {400, "invalid_request", "The resource request must use the DPoP authentication scheme when using a DPoP bound token."},
	"access_token_not_dpop_bound":                     {401, "invalid_token", "The presented access_token is not DPoP bound."},

	// calls of the API
	"access_token_missing":             {401, "invalid_request", "The access token is missing."},
	"access_token_invalid":             {401, "invalid_token", "The access token is invalid."},
	"access_token_invalid_audience":    {401, "invalid_token", "The access token provided is not intended for Okta."},
	"access_token_invalid_issuer":      {401, "invalid_token", "The access token provided has an invalid issuer."},
	"access_token_revoked":             {401, "invalid_token", "The access token has been revoked."},
	"token_expired":                    {401, "invalid_token", "The token has expired."},
	"access_token_insufficient_scopes": {403, "insufficient_scope", "The access token provided does not contain the required scopes."},
}

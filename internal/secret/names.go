package secret

import "strings"

// secretNames are names that speak for themselves, in compact form (see
// compactName).
var secretNames = map[string]bool{
	"authorization": true, "proxyauthorization": true, "cookie": true, "setcookie": true,
	"password": true, "passwd": true, "pwd": true, "pin": true, "otp": true, "totp": true,
	"credential": true, "bearer": true, "jwt": true, "dpop": true, "recoveryquestion": true,
	"activationurl": true, "activationlink": true, "resetpasswordurl": true, "resetpasswordlink": true,
	"passwordreseturl": true, "passwordresetlink": true, "passwordchangeurl": true,
	"ticket": true, "ticketurl": true, "ticketlink": true, // Auth0: a one-time login or change
	"barcodeuri": true, "otpauthurl": true, "otpauthuri": true, "qrcodeuri": true,
	"recoverycode": true, "recoverycodes": true, "backupcode": true, "backupcodes": true, "userverificationcode": true,
}

// secretEndings end the compact names of secrets: oktaApiToken, client_secret,
// tempPassword, X-Api-Key.
var secretEndings = []string{
	"password", "passwd", "passphrase", "passcode", "secret", "token", "assertion", "samlresponse",
	"apikey", "privatekey", "secretkey", "accesskey", "signingkey", "encryptionkey", "sharedkey",
	"recoveryanswer", "codeverifier", "authorizationcode",
}

// plainEndings look like secretEndings and are not secret: cursors of paging.
var plainEndings = []string{"pagetoken", "nexttoken", "continuationtoken", "synctoken", "cursortoken", "maxtoken"}

// formEndings say in which form a secret is held: passwordHash, privateKeyPem.
// Digits at the end are dropped first, hence "base" for base64.
var formEndings = []string{"value", "plaintext", "text", "plain", "hash", "base", "pem", "jwk", "raw", "string", "confirmation"}

// SecretName reports whether a value under this name (a property, parameter,
// header or input) is to be treated as secret: kept sealed, shown masked.
// The spelling does not matter: client_secret, clientSecret and Client-Secret
// are one name. Names about secrets (token_type, passwordPolicy, secretName)
// are not secret.
func SecretName(name string) bool {
	n := strings.TrimRight(compactName(name), "0123456789")
	if secretCompact(n) {
		return true
	}
	for _, form := range formEndings {
		if rest, ok := strings.CutSuffix(n, form); ok && secretCompact(rest) {
			return true
		}
	}
	return false
}

func secretCompact(n string) bool {
	if secretNames[n] {
		return true
	}
	one := strings.TrimSuffix(n, "s")
	return hasAnySuffix(one, secretEndings) && !hasAnySuffix(one, plainEndings)
}

func hasAnySuffix(s string, endings []string) bool {
	for _, e := range endings {
		if strings.HasSuffix(s, e) {
			return true
		}
	}
	return false
}

// compactName lowers a name and drops everything but letters and digits.
func compactName(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Package secret owns what must not be seen: credentials by reference, the data
// folder's key and vault, and the masking of secrets in anything that is kept
// or shown.
//
//   - A [Ref] names a credential (env:NAME, file:PATH, vault:NAME); a [Resolver]
//     turns it into a [Value], which cannot be printed by accident.
//   - A [Key] seals bytes at rest: secret inputs of a run, the entries of a
//     [FileVault], whose own key may be kept in the data folder, in a file
//     elsewhere, in the environment or in the system's keyring, and be changed.
//   - A [Redactor] replaces known secrets in text, plain or encoded, and
//     [SecretName] tells by a name alone that a value is better not shown.
//
// Masking is the last line of defence. The first one is that secrets are never
// handed to code that writes things down; see rule 3 of the design.
//
// The package leaves to others which values are secret (plan, connector) and
// where masked text goes (worker, cli, telemetry).
package secret

// Mask stands wherever a secret was.
const Mask = "[masked]"

package okta

import (
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"net/http"

	"github.com/lanyard-id/lanyard/internal/directory"
	"github.com/lanyard-id/lanyard/internal/web"
)

func (a *API) appKeyRoutes() {
	keys, csrs := appsPath+"/{id}/credentials/keys", appsPath+"/{id}/credentials/csrs"
	a.route(keys, method{"GET", readApps, a.listKeys})
	a.route(keys+"/generate", method{"POST", manageApps, a.generateKey})
	a.route(keys+"/{key}", method{"GET", readApps, a.getKey})
	a.route(keys+"/{key}/clone", method{"POST", manageApps, a.cloneKey})
	a.route(csrs,
		method{"GET", readApps, a.listCSRs},
		method{"POST", manageApps, a.createCSR})
	a.route(csrs+"/{csr}",
		method{"GET", readApps, a.getCSR},
		method{"DELETE", manageApps, a.deleteCSR})
}

func (a *API) listKeys(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	out := make([]web.Object, len(app.Keys))
	for i, k := range app.Keys {
		out[i] = appKey(k)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

func (a *API) getKey(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	k, err := app.Key(r.PathValue("key"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appKey(k))
}

// generateKey is POST .../credentials/keys/generate?validityYears=2..10.
func (a *API) generateKey(w http.ResponseWriter, r *http.Request) error {
	years, err := web.Int(r.URL.Query(), "validityYears", 0, 0, 100)
	if err != nil {
		return invalid("validityYears", "validityYears: The field has an invalid value").because(err)
	}
	k, err := a.Directory.GenerateKey(r.Context(), actor(r), a.Realm, r.PathValue("id"), years)
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, appKey(k))
}

// cloneKey is POST .../credentials/keys/{kid}/clone?targetAid={appId}.
func (a *API) cloneKey(w http.ResponseWriter, r *http.Request) error {
	k, err := a.Directory.CloneKey(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("key"), r.URL.Query().Get("targetAid"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusCreated, appKey(k))
}

// appKey is the wire form of a key: a JSON Web Key (RFC 7517) with dates.
func appKey(k directory.SigningKey) web.Object {
	url := base64.RawURLEncoding
	return web.Object{
		{Key: "created", Value: date(k.Created)},
		{Key: "lastUpdated", Value: date(k.Created)},
		{Key: "expiresAt", Value: date(k.Expires)},
		{Key: "x5c", Value: []string{base64.StdEncoding.EncodeToString(k.Certificate)}},
		{Key: "e", Value: url.EncodeToString(big.NewInt(int64(k.Exponent)).Bytes())},
		{Key: "n", Value: url.EncodeToString(k.Modulus)},
		{Key: "kid", Value: k.ID},
		{Key: "kty", Value: "RSA"},
		{Key: "use", Value: "sig"},
		{Key: "x5t#S256", Value: url.EncodeToString(k.Thumbprint())},
	}
}

func (a *API) listCSRs(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	out := make([]web.Object, len(app.CSRs))
	for i, c := range app.CSRs {
		out[i] = appCSR(a.base(r), app.ID, c)
	}
	return web.WriteJSON(w, http.StatusOK, out)
}

// createCSR is POST .../credentials/csrs: 201 with the request.
func (a *API) createCSR(w http.ResponseWriter, r *http.Request) error {
	body, err := readObject(r)
	if err != nil {
		return err
	}
	subject, err := body.csrSubject()
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := a.Directory.App(r.Context(), a.Realm, id); err != nil {
		return err // before the costly key is made
	}
	c, err := a.Directory.CreateCSR(r.Context(), actor(r), a.Realm, id, subject)
	if err != nil {
		return err
	}
	out := appCSR(a.base(r), id, c)
	w.Header().Set("Location", appURL(a.base(r), id)+"/credentials/csrs/"+c.ID)
	return web.WriteJSON(w, http.StatusCreated, out)
}

func (o object) csrSubject() (directory.CSRSubject, error) {
	var s directory.CSRSubject
	subject, err := o.object("subject")
	if err != nil {
		return s, err
	}
	names, err := o.object("subjectAltNames")
	if err != nil {
		return s, err
	}
	f := bodyFields{of: subject}
	part := func(name string) []string {
		if text := f.text(name, ""); text != "" {
			return []string{text}
		}
		return nil
	}
	s.Name = pkix.Name{
		CommonName: f.text("commonName", ""), Country: part("countryName"), Province: part("stateOrProvinceName"),
		Locality: part("localityName"), Organization: part("organizationName"), OrganizationalUnit: part("organizationalUnitName"),
	}
	f.of = names
	s.DNSNames, s.Emails = f.texts("dnsNames"), f.texts("emails")
	for _, text := range f.texts("ipAddresses") {
		ip := net.ParseIP(text)
		if ip == nil {
			f.keep(invalid("ipAddresses", "ipAddresses: The field has an invalid value"))
		}
		s.IPs = append(s.IPs, ip)
	}
	if s.Name.CommonName == "" {
		f.keep(invalid("commonName", "commonName: The field cannot be left blank"))
	}
	return s, f.err
}

func (a *API) getCSR(w http.ResponseWriter, r *http.Request) error {
	app, err := a.Directory.App(r.Context(), a.Realm, r.PathValue("id"))
	if err != nil {
		return err
	}
	c, err := app.CSR(r.PathValue("csr"))
	if err != nil {
		return err
	}
	return web.WriteJSON(w, http.StatusOK, appCSR(a.base(r), app.ID, c))
}

func (a *API) deleteCSR(w http.ResponseWriter, r *http.Request) error {
	if err := a.Directory.DeleteCSR(r.Context(), actor(r), a.Realm, r.PathValue("id"), r.PathValue("csr")); err != nil {
		return err
	}
	return noContent(w)
}

func appCSR(base, app string, c directory.SigningCSR) web.Object {
	self := appURL(base, app) + "/credentials/csrs/" + c.ID
	return web.Object{
		{Key: "id", Value: c.ID},
		{Key: "created", Value: date(c.Created)},
		{Key: "csr", Value: base64.StdEncoding.EncodeToString(c.DER)},
		{Key: "kty", Value: "RSA"},
		{Key: "_links", Value: web.Object{hintedLink("self", self, "GET", "DELETE"), hintedLink("publish", self+"/lifecycle/publish", "POST")}},
	}
}

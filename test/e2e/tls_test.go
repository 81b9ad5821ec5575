package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"encoding/pem"

	"github.com/sluicegate/sluice/test/process"
)

// writeCertificate puts a certificate for 127.0.0.1 and its key into PEM files.
func writeCertificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: s.Certificate().Raw}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return certFile, keyFile, roots
}

// TestGatewayServesHTTPS: without it keys would cross networks in the clear.
func TestGatewayServesHTTPS(t *testing.T) {
	certFile, keyFile, roots := writeCertificate(t)
	p := process.Start(t, process.Options{Env: []string{"SLUICE_GATEWAY_TLS_CERT=" + certFile, "SLUICE_GATEWAY_TLS_KEY=" + keyFile}})
	if !strings.Contains(p.Curl, "https://") {
		t.Errorf("the printed line is %s", p.Curl)
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	req, err := http.NewRequestWithContext(t.Context(), "GET", strings.Replace(p.Gateway, "http://", "https://", 1)+"/v1/models", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Key)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), "demo-chat") {
		t.Errorf("%d %s %v", resp.StatusCode, body, err)
	}
	out, status := process.Run(t, process.Options{Env: []string{"SLUICE_GATEWAY_TLS_CERT=" + certFile}}, "serve", "--dev")
	if status != 2 || !strings.Contains(out, "SLUICE_GATEWAY_TLS_KEY") {
		t.Errorf("a certificate without its key: status %d\n%s", status, out)
	}
}

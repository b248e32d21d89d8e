// Package calls tests whole calls in one process: the server with its
// forwarder, client cores, and native participants that seal and open. What
// browsers add is tested in test/browser.
package calls

// Package server is the pretended OMERO server: what is on it, who may see and
// change it, and which faults are planned. It lives in one folder, which the
// executables and the web server of a test open at the same time.
package server

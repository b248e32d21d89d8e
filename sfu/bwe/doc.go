// Package bwe measures what a network path carries.
//
// A [Recorder] notes when a sender's packets came and tells the sender: the
// transport-wide feedback of draft-holmer-rmcat-transport-wide-cc-extensions-01.
// An [Estimator] stands at the other end: it numbers packets that leave for a
// receiver, reads the receiver's feedback, and says how many bits per second
// the receiver's path carries, by Google's congestion control
// (draft-ietf-rmcat-gcc-02): packets that come later and later mean a queue that
// grows, lost ones a queue that is full. Where nothing more is sent than fits
// anyway it cannot know if more would, so it asks for padding (probes).
//
// The filter of the draft's section 5.3 is the trend line that libwebrtc uses in
// its place since 2017: the slope of the smoothed queuing delay.
//
// Nothing here starts a goroutine, reads a clock or locks. Times are durations
// since any fixed moment, rates are bits per second.
package bwe

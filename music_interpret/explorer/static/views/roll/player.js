// One sound at a time on a page.

/** @import { PianoRoll } from "./roll.js" */

/** @type {HTMLAudioElement | null} */
let playing = null;

/** Play an <audio> and stop the one that played before; resolves once it sounds. @param {HTMLAudioElement} audio */
export function playAlone(audio) {
  if (playing && playing !== audio) playing.pause();
  playing = audio;
  return audio.play();
}

/** Stop whatever plays. */
export function stopPlaying() {
  if (playing) playing.pause();
  playing = null;
}

/**
 * Move a roll's playhead with an <audio> from now on; returns what ends that.
 * @param {PianoRoll} roll
 * @param {HTMLAudioElement} audio
 */
export function followed(roll, audio) {
  let frame = 0;
  const move = () => {
    cancelAnimationFrame(frame);
    const step = roll.roll.start + audio.currentTime / roll.roll.seconds_per_step;
    const stopped = audio.paused && audio.currentTime === 0;
    roll.setPlayhead(stopped || step > roll.roll.end ? null : step);
    if (roll.playhead !== null) roll.show(step, true);
    frame = audio.paused || audio.ended ? 0 : requestAnimationFrame(move);
  };
  const end = () => {
    cancelAnimationFrame(frame);
    roll.setPlayhead(null);
  };
  const events = { play: move, pause: move, seeking: move, seeked: move, ended: end, emptied: end };
  for (const [name, call] of Object.entries(events)) audio.addEventListener(name, call);
  if (!audio.paused) move();
  return () => {
    cancelAnimationFrame(frame);
    for (const [name, call] of Object.entries(events)) audio.removeEventListener(name, call);
  };
}

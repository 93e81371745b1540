// A photo by the camera, where the browser has one for this page: at localhost, or over HTTPS.

import { button, el } from "./dom.js";

export const hasCamera = () => Boolean(window.isSecureContext && navigator.mediaDevices?.getUserMedia);

// Resolves with a File; null where the user changes their mind.
export function takePhoto() {
  return new Promise((resolve) => {
    const message = el("p", { class: "soft", role: "status" }, "Waiting for the camera\u2026");
    const video = el("video", { autoplay: true, playsinline: true, "aria-label": "The camera's picture" });
    video.muted = true;
    const take = button("Take the photo", () => shot(video).then(finish), {
      class: "primary",
      disabled: true,
    });
    const dialog = el(
      "dialog",
      { "aria-label": "Camera", class: "camera" },
      video,
      message,
      el(
        "div",
        { class: "row end" },
        button("Cancel", () => finish(null)),
        take,
      ),
    );
    let stream = null;
    let isOpen = true;

    function finish(photo) {
      if (!isOpen) return;
      isOpen = false;
      stream?.getTracks().forEach((track) => track.stop());
      dialog.remove();
      resolve(photo);
    }
    dialog.addEventListener("close", () => finish(null));
    document.body.append(dialog);
    dialog.showModal();
    navigator.mediaDevices
      .getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" } })
      .then((found) => {
        stream = found;
        if (!isOpen) return stream.getTracks().forEach((track) => track.stop());
        video.srcObject = stream;
        video.addEventListener("loadeddata", () => {
          message.textContent = "Look into the camera.";
          take.disabled = false;
          take.focus();
        });
      })
      .catch((error) => {
        message.className = "error";
        message.textContent =
          error.name === "NotAllowedError"
            ? "The browser was not allowed to use the camera."
            : "No camera can be used here.";
      });
  });
}

async function shot(video) {
  const canvas = el("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const content = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  return new File([content], "camera.jpg", { type: "image/jpeg" });
}

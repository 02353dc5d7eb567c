// Swagger UI has colours for the dark of its own, behind a class: follow what the reader's system prefers.
"use strict";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

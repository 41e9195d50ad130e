const $=id=>document.getElementById(id),SVG="http://www.w3.org/2000/svg";
function el(tag,props,...children){const e=document.createElement(tag);for(const k in props||{})k in e?e[k]=props[k]:e.setAttribute(k,props[k]);e.append(...children);return e}
function draw(tag,props,text){const e=document.createElementNS(SVG,tag);for(const k in props)e.setAttribute(k,props[k]);if(text!==undefined)e.textContent=text;return e}
const fmt=v=>v===null||v===undefined||!Number.isFinite(v)?"\u2013":Math.abs(v)>=1e5||(v!==0&&Math.abs(v)<1e-3)?v.toExponential(2):String(+v.toPrecision(4));
